"""The addresses of ``api_directory.py`` in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from anxiao.directory.importing.faults import FaultKind
from anxiao.directory.names import ImportState, ImportTemplate, RowVerdict

_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_TEXT: dict[str, Any] = {"type": "string"}
_TEXT_OR_NOT: dict[str, Any] = {"type": ["string", "null"]}


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _answer(description: str, schema: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }


_NO_KEY = {"401": _answer("No key, or one that opens nothing.", "Error")}
_ABSENT = {"404": _answer("It does not exist, or not for this key; the two are not told apart.", "Error")}
_INVALID = {"400": _answer("Something in the request is not understood.", "Error")}
_REFUSED = {"409": _answer("The rules do not allow this now; the message says why.", "Error")}
_ID = {"name": "id", "in": "path", "required": True, "schema": _COUNT}
_SECURITY: list[dict[str, list[str]]] = [{"key": []}]

SECURITY_SCHEMES: dict[str, Any] = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "a key of one school, made by `anxiao sync-key`: it may bring that school's directory",
    }
}

SCHEMAS: dict[str, Any] = {
    "DirectoryImport": _object(
        id=_COUNT,
        kind={"enum": [str(kind) for kind in ImportTemplate]},
        list={"enum": ["full", "changes"]},
        state={"enum": [str(state) for state in ImportState]},
        digest={**_TEXT, "description": "SHA-256 of what was sent"},
        created_at={"type": "string", "format": "date-time"},
        applied_at={"type": ["string", "null"], "format": "date-time"},
        progress=_object(done=_COUNT, total=_COUNT),
        counts=_object(**{str(verdict): _COUNT for verdict in RowVerdict}),
        surprises={
            "type": "array",
            "items": _object(kind=_TEXT, count=_COUNT, of=_COUNT, names={"type": "array", "items": _TEXT}),
            "description": "what must be confirmed with the name of the school",
        },
        error={**_TEXT_OR_NOT, "description": "for people, in their language"},
    ),
    "DirectoryRows": _object(
        rows={
            "type": "array",
            "items": _object(
                sheet=_TEXT_OR_NOT,
                row={"type": ["integer", "null"]},
                number=_TEXT_OR_NOT,
                verdict={"enum": [str(verdict) for verdict in RowVerdict]},
                changes={"type": "array", "items": _TEXT, "description": "names of the fields that become others"},
                faults={
                    "type": "array",
                    "items": _object(
                        code={"enum": [str(kind) for kind in FaultKind]}, column=_TEXT, header=_TEXT, message=_TEXT
                    ),
                },
            ),
        },
        next={**_TEXT_OR_NOT, "description": "the cursor of the next page: send it as `after`; null at the end"},
    ),
}

PATHS: dict[str, Any] = {
    "/directory/imports": {
        "post": {
            "operationId": "uploadDirectory",
            "summary": "Send the list of students or staff, whole or what has changed; `apply` writes it",
            "security": _SECURITY,
            "parameters": [
                {"name": "kind", "in": "query", "required": True, "schema": {"enum": ["students", "staff"]}},
                {
                    "name": "list",
                    "in": "query",
                    "required": False,
                    "schema": {"enum": ["full", "changes"]},
                    "description": "full: whoever is not in it may have left; changes without it",
                },
            ],
            "requestBody": {
                "required": True,
                "description": "CSV or a workbook with the notice's headers, up to 50 MB; or JSON, up to 5 MB",
                "content": {
                    "text/csv": {"schema": _TEXT},
                    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {
                        "schema": {"type": "string", "format": "binary"}
                    },
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "properties": {
                                "rows": {
                                    "type": "array",
                                    "items": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
                                }
                            },
                            "required": ["rows"],
                        }
                    },
                },
            },
            "responses": {
                "202": _answer("Taken; it is being read.", "DirectoryImport"),
                **_INVALID,
                **_NO_KEY,
                **_REFUSED,
            },
        }
    },
    "/directory/imports/{id}": {
        "get": {
            "operationId": "directoryImport",
            "summary": "How far an import is, and what it would do or has done",
            "security": _SECURITY,
            "parameters": [_ID],
            "responses": {"200": _answer("The import.", "DirectoryImport"), **_NO_KEY, **_ABSENT},
        }
    },
    "/directory/imports/{id}/rows": {
        "get": {
            "operationId": "directoryRows",
            "summary": "What came of each row, except those that say what the directory says; behind a cursor",
            "security": _SECURITY,
            "parameters": [
                _ID,
                {
                    "name": "verdict",
                    "in": "query",
                    "required": False,
                    "schema": {"enum": [str(verdict) for verdict in RowVerdict]},
                },
                {"name": "after", "in": "query", "required": False, "schema": _TEXT, "description": "the last `next`"},
            ],
            "responses": {"200": _answer("A page of rows.", "DirectoryRows"), **_INVALID, **_NO_KEY, **_ABSENT},
        }
    },
    "/directory/imports/{id}/apply": {
        "post": {
            "operationId": "applyDirectory",
            "summary": "Write a preview into the directory, all of it or nothing",
            "security": _SECURITY,
            "parameters": [_ID],
            "requestBody": {
                "required": False,
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "properties": {
                                "leavers": {"enum": ["none", "all"]},
                                "confirmation": {"type": "string", "description": "the name of the school"},
                            },
                        }
                    }
                },
            },
            "responses": {
                "202": _answer("Taken; it is being applied.", "DirectoryImport"),
                **_INVALID,
                **_NO_KEY,
                **_ABSENT,
                **_REFUSED,
            },
        }
    },
}
