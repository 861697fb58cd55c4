"""The part of JSON schema that speedscope's schema uses; a keyword that is not known is refused
rather than passed over."""

TYPES = {"object": dict, "array": list, "string": str, "number": (int, float), "integer": int,
         "boolean": bool, "null": type(None)}
KNOWN = {"$ref", "$schema", "additionalProperties", "anyOf", "const", "definitions", "description", "enum",
         "items", "properties", "required", "title", "type"}


def has_type(value, name):
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES[name])


def check(value, schema, root, at="$"):
    """Raises AssertionError with the place of the first fault."""
    unknown = set(schema) - KNOWN
    assert not unknown, f"schema keyword not known: {unknown}"
    if "$ref" in schema:
        target = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return check(value, target, root, at)
    if "anyOf" in schema:
        faults = []
        for choice in schema["anyOf"]:
            try:
                check(value, choice, root, at)
                break
            except AssertionError as fault:
                faults.append(str(fault))
        else:
            raise AssertionError(f"{at}: fits no choice: {faults}")
    if "const" in schema:
        assert value == schema["const"], f"{at}: {value!r} is not {schema['const']!r}"
    if "enum" in schema:
        assert value in schema["enum"], f"{at}: {value!r} is not one of {schema['enum']}"
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        assert any(has_type(value, n) for n in names), f"{at}: not of type {names}"
    if isinstance(value, dict):
        for name in schema.get("required", []):
            assert name in value, f"{at}: {name} is missing"
        for name, item in value.items():
            if name in schema.get("properties", {}):
                check(item, schema["properties"][name], root, f"{at}.{name}")
            elif isinstance(schema.get("additionalProperties"), dict):
                check(item, schema["additionalProperties"], root, f"{at}.{name}")
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for i, item in enumerate(value):
            check(item, schema["items"], root, f"{at}[{i}]")
