"""The refusals of `model.TableProblem` as sentences: what happened and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _

from anxiao.base.tables.model import TableProblem


def describe(problem: TableProblem, params: Mapping[str, object]) -> str:
    """One sentence or two in the reader's language."""
    match problem:
        case TableProblem.EMPTY:
            return _("The file is empty.")
        case TableProblem.TOO_LARGE:
            return (
                _("The file is larger than %(megabytes)s MB. Split it and send the parts one after the other.") % params
            )
        case TableProblem.NOT_A_TABLE:
            return _("This is not a table we can read. Please send an Excel workbook (.xlsx) or a CSV file.")
        case TableProblem.OLD_EXCEL:
            return _("This is an old Excel file (.xls). Open it, save it as .xlsx and send that.")
        case TableProblem.WEB_PAGE:
            return _(
                "This is a web page that only carries an Excel name. Open it in Excel, save it as .xlsx and send that."
            )
        case TableProblem.PASSWORD:
            return _("The workbook is protected by a password. Save it without one and send it again.")
        case TableProblem.MACROS:
            return _(
                "The workbook contains macros, which are not accepted. Save it as a plain .xlsx workbook and send that."
            )
        case TableProblem.BOMB:
            return _(
                "The file unpacks to far more than a roster needs, so it was not opened."
                " Copy the rows into a fresh template."
            )
        case TableProblem.DAMAGED:
            return _("The workbook is damaged and cannot be read. Open it, save it again and send that.")
        case TableProblem.FORBIDDEN_MARKUP:
            return _("The workbook contains markup that no spreadsheet program writes, so it was not opened.")
        case TableProblem.TOO_MANY_ROWS:
            return (
                _("The file has more than %(rows)s filled rows. Split it and send the parts one after the other.")
                % params
            )
        case TableProblem.TOO_MANY_SHEETS:
            return _("The workbook has more than %(sheets)s sheets. Keep only those with people on them.") % params
        case TableProblem.TOO_MUCH_TEXT:
            return _("The file holds more text than a roster needs. Keep only the columns of the template.")
        case TableProblem.ENCODING:
            return _("The characters of this CSV file cannot be recognised. Save it as UTF-8 and send it again.")
        case TableProblem.TOO_SLOW:
            return _(
                "Reading the file took too long and was stopped. Copy the rows into a fresh template and send that."
            )
        case TableProblem.READER_DIED:
            return _(
                "The file could not be read; nothing was changed. Copy the rows into a fresh template and send that."
            )
