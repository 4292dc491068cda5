"""The machine interface of ``api.py`` as an OpenAPI 3.1 document, written by hand and held true by a test."""

from __future__ import annotations

from typing import Any

from anxiao import __version__
from anxiao.base.permissions import Permission, Role
from anxiao.config import openapi_directory
from anxiao.directory.names import OrganisationKind
from anxiao.reporting.names import ZeroCategory
from anxiao.reporting.rules_sheets import Standing

_ID: dict[str, Any] = {"type": "integer", "minimum": 0}
_COUNT: dict[str, Any] = {"type": "integer"}
_MOMENT: dict[str, Any] = {"type": "string", "format": "date-time", "description": "Asia/Shanghai, with offset"}
_DAY: dict[str, Any] = {"type": "string", "format": "date", "examples": ["2020-02-15"]}


def _object(description: str = "", /, **properties: Any) -> dict[str, Any]:
    """An object that has all these properties and no others."""
    found: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"description": description, **found} if description else found


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _nothing_or(schema: dict[str, Any]) -> dict[str, Any]:
    return {"oneOf": [schema, {"type": "null"}]}


def _answer(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _ref(schema)}}}


SIGNED_OUT = {"401": _answer("Nobody is signed in.", "Error")}
ABSENT = {"404": _answer("It does not exist, or not for you; the two are not told apart.", "Error")}

COUNTS = _object(
    "Numbers of one node, school or audience. expected = people - exempt; missing = expected - on_time - late.",
    people=_COUNT,
    exempt=_COUNT,
    expected=_COUNT,
    on_time=_COUNT,
    late=_COUNT,
    missing=_COUNT,
    unwell=_COUNT,
    fever=_COUNT,
    suspected=_COUNT,
    confirmed=_COUNT,
    isolated=_COUNT,
    contact=_COUNT,
)

SCHEMAS: dict[str, Any] = {
    "Error": _object(
        error={
            "type": "object",
            "properties": {
                "code": {"type": "string", "description": "for programs"},
                "message": {"type": "string", "description": "for people, in their language"},
                "fields": {"type": "object", "additionalProperties": {"type": "string"}},
            },
            "required": ["code", "message"],
            "additionalProperties": False,
        }
    ),
    "Root": _object(
        name={"const": "anxiao"},
        version={"type": "string"},
        links={"type": "object", "additionalProperties": {"type": "string", "format": "uri-reference"}},
    ),
    "Node": _object(
        "A node of the organisation tree; school_id is 0 above the schools.",
        id=_ID,
        name={"type": "string"},
        kind={"enum": OrganisationKind.values},
        school_id=_ID,
    ),
    "Me": _object(
        username={"type": "string"},
        display_name={"type": "string"},
        school_id={"type": ["integer", "null"]},
        roles=_list(
            _object(
                role={"enum": [str(role) for role in Role]},
                node=_ref("Node"),
                place={"type": ["string", "null"], "description": "path of a place that narrows the role"},
                permissions=_list({"enum": [str(permission) for permission in Permission]}),
            )
        ),
    ),
    "Round": _object(
        "One day of the campaign.",
        id=_ID,
        day=_DAY,
        deadline_at={**_MOMENT, "description": "a report from this moment on is late"},
        sheets_due_at={**_MOMENT, "description": "a day sheet first signed from this moment on is late"},
        closes_at={**_MOMENT, "description": "no reports from this moment on"},
    ),
    "Counts": COUNTS,
    "Board": _object(
        node=_ref("Node"),
        round=_ref("Round"),
        at=_MOMENT,
        total=_ref("Counts"),
        by_audience={"type": "object", "additionalProperties": _ref("Counts")},
        children=_list(_object(node=_ref("Node"), figures=_ref("Counts"))),
        hours={
            "type": "array",
            "items": _COUNT,
            "minItems": 24,
            "maxItems": 24,
            "description": "reports received in each hour, Asia/Shanghai",
        },
    ),
    "SheetVersion": _object(
        "A signed version of a day sheet, as it was frozen.",
        number={"type": "integer", "minimum": 1},
        late={"type": "boolean"},
        digest={"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "SHA-256 of the canonical sheet"},
        intact={"type": "boolean", "description": "the digest still fits what is stored"},
        signed_by={"type": "string"},
        signed_at=_MOMENT,
        statements=_object(
            "What the school states, zero included.",
            **{category: {"type": "integer", "minimum": 0} for category in ZeroCategory.values},
        ),
        figures=_object(
            "Figures of that moment; 1 = students, 2 = staff; regions by the first two digits of GB/T 2260.",
            counts={"type": "object", "additionalProperties": _ref("Counts")},
            facts={"type": "object", "additionalProperties": {"type": "object", "additionalProperties": _COUNT}},
            regions={"type": "object", "additionalProperties": _COUNT},
        ),
        note={"type": "string"},
        return_reason={"type": "string", "description": "empty when it was not returned"},
    ),
    "Sheet": _object(
        school=_object(id=_ID, code={"type": "string"}, name={"type": "string"}, city={"type": "string"}),
        standing={"enum": [str(standing) for standing in Standing]},
        version=_nothing_or(_ref("SheetVersion")),
        live=_ref("Counts"),
        last_14_days=_object(late=_COUNT, missing=_COUNT),
    ),
    "Sheets": _object(
        day=_DAY,
        round=_nothing_or(_ref("Round")),
        counts={"type": "object", "additionalProperties": _COUNT, "description": "standing: number of schools"},
        sheets=_list(_ref("Sheet")),
    ),
}

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Anxiao",
        "version": __version__,
        "summary": "Daily reports and zero reports of a province's universities",
        "description": (
            "Reading for programs, with the session of somebody who is signed in and within what they may see; and "
            "with a key of its own, bringing a school's directory. Reports themselves are sent through /intake/v1/."
        ),
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    },
    "servers": [{"url": "/api/v1"}],
    "security": [{"session": []}],
    "paths": {
        "/": {
            "get": {
                "operationId": "root",
                "summary": "What this is, and where to go from here",
                "security": [],
                "responses": {"200": _answer("Name, version and links.", "Root")},
            }
        },
        "/openapi.json": {
            "get": {
                "operationId": "openapi",
                "summary": "This document",
                "security": [],
                "responses": {
                    "200": {
                        "description": "OpenAPI 3.1.",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    }
                },
            }
        },
        "/me": {
            "get": {
                "operationId": "me",
                "summary": "Who is signed in, and what they may do where",
                "responses": {"200": _answer("The caller.", "Me"), **SIGNED_OUT},
            }
        },
        "/nodes/{id}/today": {
            "get": {
                "operationId": "nodeToday",
                "summary": "Today's numbers of a node and of the nodes right beneath it",
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": _ID}],
                "responses": {"200": _answer("The board.", "Board"), **SIGNED_OUT, **ABSENT},
            }
        },
        "/sheets": {
            "get": {
                "operationId": "sheets",
                "summary": "Day sheets of the schools within reach, beside their live figures",
                "parameters": [
                    {"name": "day", "in": "query", "required": False, "schema": _DAY, "description": "today without it"}
                ],
                "responses": {
                    "200": _answer("The sheets of the day.", "Sheets"),
                    "400": _answer("The day is not a day.", "Error"),
                    **SIGNED_OUT,
                    **ABSENT,
                },
            }
        },
        **openapi_directory.PATHS,
    },
    "components": {
        "securitySchemes": {
            "session": {"type": "apiKey", "in": "cookie", "name": "anxiao", "description": "the session of a browser"},
            **openapi_directory.SECURITY_SCHEMES,
        },
        "schemas": {**SCHEMAS, **openapi_directory.SCHEMAS},
    },
}
