"""The description of this door, as OpenAPI 3.1. A test holds real answers against it."""

from __future__ import annotations

from typing import Any

_RECEIPT: dict[str, Any] = {
    "type": "object",
    "required": ["number", "received_at", "digest", "late", "version", "key"],
    "additionalProperties": False,
    "properties": {
        "number": {"type": "string", "examples": ["20200215-1A2B-3C4D-5E6F"]},
        "received_at": {"type": "string", "format": "date-time", "description": "The server's clock decides."},
        "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "SHA-256 of the canonical record"},
        "late": {"type": "boolean"},
        "version": {"type": "integer", "minimum": 1},
        "key": {"type": "string", "format": "uuid", "description": "The key under which the report was sent"},
        "signature": {
            "type": "string",
            "pattern": "^1:[0-9a-f]{8}:[A-Za-z0-9_-]{86}:[0-9]+/[0-9]+:[A-Za-z0-9_-]*$",
            "description": (
                "The deployment's Ed25519 signature under the Merkle root (RFC 9162) of the digests that were "
                "committed together: 1:KEY ID:SIGNATURE:INDEX/SIZE:PATH. Given in answer to a report, not by /today"
            ),
        },
    },
}

_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "string"},
        "message": {"type": "string", "description": "For a person, in the language of Accept-Language"},
        "problems": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {
                    "field": {"type": "string", "description": "Key of the question; empty for the whole"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
        "receipt": {"$ref": "#/components/schemas/Receipt"},
    },
}

_SUBMISSION: dict[str, Any] = {
    "type": "object",
    "required": ["ticket", "round", "form_version", "key", "answers"],
    "additionalProperties": False,
    "properties": {
        "ticket": {
            "type": "string",
            "maxLength": 400,
            "description": "From /today: good for 15 minutes and for one version of one report of this person",
        },
        "round": {"type": "integer", "minimum": 1},
        "form_version": {"type": "integer", "minimum": 1},
        "key": {
            "type": "string",
            "format": "uuid",
            "description": "Made by the sender; the same key again is the same report",
        },
        "answers": {"type": "object", "description": "By key of the question; only what was answered afresh"},
        "unchanged": {
            "type": "boolean",
            "default": False,
            "description": "Stable facts are as last time, from the server's own copy; never symptoms or temperature.",
        },
        "captured_at": {
            "type": "string",
            "format": "date-time",
            "description": "The phone's own time; decides nothing",
        },
    },
}

_CORRECTION: dict[str, Any] = {
    **_SUBMISSION,
    "required": [*_SUBMISSION["required"], "reason"],
    "properties": {**_SUBMISSION["properties"], "reason": {"type": "string", "minLength": 1, "maxLength": 300}},
}

_ROUND: dict[str, Any] = {
    "type": "object",
    "required": [
        *("id", "title", "opens_at", "deadline_at", "closes_at", "state"),
        *("ticket", "form_version", "form_etag", "receipt", "correction", "unchanged"),
    ],
    "properties": {
        "id": {"type": "integer"},
        "title": {"type": "string"},
        "opens_at": {"type": "string", "format": "date-time"},
        "deadline_at": {"type": "string", "format": "date-time"},
        "closes_at": {"type": "string", "format": "date-time"},
        "state": {"enum": ["waiting", "due", "overdue", "done", "exempt", "missed"]},
        "ticket": {
            "type": ["string", "null"],
            "description": "For the report, or for its next correction where one stands; null when nothing may be sent",
        },
        "form_version": {"type": "integer"},
        "form_etag": {"type": "string"},
        "form": {"type": "object", "description": "Left out when its ETag was given as ?have="},
        "receipt": {"oneOf": [{"$ref": "#/components/schemas/Receipt"}, {"type": "null"}]},
        "correction": {"oneOf": [{"$ref": "#/components/schemas/Receipt"}, {"type": "null"}]},
        "unchanged": {
            "oneOf": [
                {"type": "null"},
                {
                    "type": "object",
                    "required": ["labels", "carried", "conditions"],
                    "properties": {
                        "labels": {"type": "array", "items": {"type": "string"}},
                        "carried": {"type": "array", "items": {"type": "string"}},
                        "conditions": {"type": "object"},
                    },
                },
            ]
        },
    },
}

_TODAY: dict[str, Any] = {
    "type": "object",
    "required": ["day", "now", "name", "rounds"],
    "properties": {
        "day": {"type": "string", "format": "date"},
        "now": {"type": "string", "format": "date-time"},
        "name": {"type": "string"},
        "rounds": {"type": "array", "items": {"$ref": "#/components/schemas/Round"}},
    },
}


def _json(schema: str, description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }


_REFUSALS = {
    "400": _json("Error", "The body is not one unambiguous JSON object"),
    "401": _json("Error", "No valid pass, or the pass of another person than the page"),
    "403": _json(
        "Error",
        "ticket_expired: ask /today for a new one and send again with the same key. ticket_wrong: the ticket is not "
        "for this person, round, form or version, or no ticket. not_expected: the person is not asked. foreign: the "
        "header X-Anxiao is missing",
    ),
    "409": _json("Error", "already: another report stands. key_reused: the key came with other answers. Its receipt"),
    "413": _json("Error", "More than 64 KB"),
    "415": _json("Error", "Not application/json"),
    "422": _json("Error", "invalid (problems), form_changed, not_open, closed or nothing_to_correct"),
    "429": _json("Error", "This account asks too often; send the same key again later"),
    "503": _json(
        "Error", "Busy, or the database is away or would not keep what it acknowledges; send the same key again"
    ),
}


def _keeping(schema: str, summary: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "security": [{"pass": []}],
        "parameters": [
            {"name": "X-Anxiao", "in": "header", "required": True, "schema": {"const": "1"}},
            {
                "name": "X-Anxiao-Person",
                "in": "header",
                "description": "Whose page the report was written on; 401 when the pass is somebody else's",
                "schema": {"type": "string"},
            },
            {"name": "Accept-Language", "in": "header", "schema": {"type": "string"}},
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
        },
        "responses": {
            "201": _json("Kept", "Kept and on disk"),
            "200": _json("Kept", "The same key again: the same receipt"),
            **_REFUSALS,
        },
    }


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Anxiao intake",
        "version": "1",
        "description": "Where phones report. A report is acknowledged only after its commit.",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    },
    "servers": [{"url": "/intake/v1"}],
    "paths": {
        "/today": {
            "get": {
                "summary": "What is asked today, and where the holder of the pass stands",
                "security": [{"pass": []}],
                "parameters": [
                    {
                        "name": "have",
                        "in": "query",
                        "schema": {"type": "string"},
                        "description": "ETag of the form at hand",
                    },
                    {"name": "Accept-Language", "in": "header", "schema": {"type": "string"}},
                ],
                "responses": {
                    "200": _json("Today", "Never holds an earlier answer"),
                    "401": _REFUSALS["401"],
                    "429": _REFUSALS["429"],
                    "503": _REFUSALS["503"],
                },
            }
        },
        "/reports": {"post": _keeping("Submission", "Report; one a person and round")},
        "/corrections": {"post": _keeping("Correction", "Correct one's report; the first version stays")},
        "/form": {
            "get": {
                "summary": "A version of a form in the reader's language; never changes, so a phone keeps it",
                "security": [{"pass": []}],
                "parameters": [
                    {"name": "version", "in": "query", "required": True, "schema": {"type": "integer", "minimum": 1}},
                    {"name": "Accept-Language", "in": "header", "schema": {"type": "string"}},
                ],
                "responses": {
                    "200": {
                        "description": "The form; its ETag is the form_etag of /today",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    },
                    "304": {"description": "The form at hand (If-None-Match) is this one"},
                    "401": _REFUSALS["401"],
                    "404": _json("Error", "No such form"),
                    "429": _REFUSALS["429"],
                    "503": _REFUSALS["503"],
                },
            }
        },
        "/key": {
            "get": {
                "summary": "The public key under this deployment's receipts",
                "responses": {"200": _json("Key", "Anybody may check a receipt with it")},
            }
        },
    },
    "components": {
        "securitySchemes": {"pass": {"type": "apiKey", "in": "cookie", "name": "anxiao_pass"}},
        "schemas": {
            "Receipt": _RECEIPT,
            "Error": _ERROR,
            "Submission": _SUBMISSION,
            "Correction": _CORRECTION,
            "Round": _ROUND,
            "Today": _TODAY,
            "Key": {
                "type": "object",
                "required": ["algorithm", "id", "public_key"],
                "properties": {
                    "algorithm": {"const": "Ed25519"},
                    "id": {"type": "string", "pattern": "^[0-9a-f]{8}$"},
                    "public_key": {"type": "string", "description": "32 bytes in base64url"},
                },
            },
            "Kept": {
                "type": "object",
                "required": ["receipt", "help"],
                "properties": {
                    "receipt": {"$ref": "#/components/schemas/Receipt"},
                    "help": {"type": "boolean", "description": "Show help first: somebody is unwell or exposed"},
                },
            },
        },
    },
}
