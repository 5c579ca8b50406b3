"""The JSON Schema (draft 7) of what ``--json`` prints; the tests validate every command's output.

``docs/output.schema.json`` is a copy: write it anew with `stackcook schema --output`.
"""

from __future__ import annotations

from typing import Any

from stackcook.bootstrap.findings import KINDS

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_BOOLEAN: Schema = {"type": "boolean"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_SECONDS: Schema = {"type": "number", "description": "Seconds."}
_TIME: Schema = {
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$",
    "description": "A time in UTC.",
}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _map(schema: Schema) -> Schema:
    return {"type": "object", "additionalProperties": schema}


def _object(about: str = "", optional: Schema | None = None, **fields: Schema) -> Schema:
    """An object whose ``fields`` are always there."""
    found: Schema = {"description": about} if about else {}
    return {
        **found,
        "type": "object",
        "properties": {**fields, **(optional or {})},
        "required": list(fields),
    }


_TEXTS = _list(_TEXT)
_OPTIONAL = _or_null(_TEXT)
_PROBLEM = {"$ref": "#/definitions/problem"}
_CLOUD: Schema = {**_TEXT, "description": "The name of the cloud."}
_RUN = {"$ref": "#/definitions/run"}


def _run() -> Schema:
    node = _object(
        "The last step of the node: `error` and `log` if it failed or was skipped, else how many"
        " resources of how many chef-client updated.",
        {
            "error": _TEXT,
            "log": _TEXT,
            "updated": _or_null(_COUNT),
            "total": _or_null(_COUNT),
        },
        step=_TEXT,
        result={"enum": ["waiting", "running", "done", "failed", "skipped"]},
        seconds=_SECONDS,
    )
    finding = _object(
        "What preflight found on a node, with the ID that `--ignore` takes.",
        id={"enum": sorted(KINDS)},
        node=_TEXT,
        severity={"enum": ["error", "warning", "ignored"]},
        what=_TEXT,
        remedy=_TEXT,
    )
    return _object(
        cloud=_CLOUD,
        seconds=_SECONDS,
        steps=_list(
            _object(
                "A step for all nodes, or those of a stage or zone.",
                step=_TEXT,
                stage=_OPTIONAL,
                seconds=_SECONDS,
                text=_TEXT,
            )
        ),
        nodes=_map(node),
        findings=_list(finding),
        errors=_list(
            _object("A step that failed.", step=_TEXT, node=_TEXT, stage=_OPTIONAL, error=_TEXT)
        ),
        zones={
            **_map(_object(failed=_OPTIONAL)),
            "description": "The zones, and why they failed; empty without zones.",
        },
        facts={**_map(_TEXT), "description": "For people, such as the URL of Horizon."},
    )


_DEFINITIONS = {
    "problem": _object(
        "An error of the command, or a finding in a file.",
        where={**_OPTIONAL, "description": "The file, node, container or URL concerned."},
        line=_or_null({"type": "integer", "minimum": 1}),
        column=_or_null({"type": "integer", "minimum": 1}),
        severity={"enum": ["error", "warning"]},
        what=_TEXT,
        remedy={**_OPTIONAL, "description": "What to do about it."},
    ),
    "run": _run(),
}


def _snapshot(**more: Schema) -> Schema:
    return _object(
        "Sizes are in bytes; `packages` are those of Debian, with their versions.",
        name=_TEXT,
        cloud=_TEXT,
        saved=_TIME,
        version={**_TEXT, "description": "The version of stackcook that saved it."},
        size=_COUNT,
        nodes=_map(_object(size=_COUNT, packages=_map(_TEXT))),
        **more,
    )


def _plan() -> Schema:
    node = _object(
        name=_TEXT,
        address=_OPTIONAL,
        provider=_OPTIONAL,
        environment=_TEXT,
        run_list=_TEXTS,
        policy=_OPTIONAL,
        machine={
            "enum": ["create", "start", None],
            "description": "What is done with the machine; null for existing hosts.",
        },
        done={
            **_BOOLEAN,
            "description": "Converged by the deploy that this one resumes, or in the snapshot.",
        },
        steps=_TEXTS,
    )
    step = _object(
        command={"enum": ["deploy", "converge", "destroy"]},
        step=_TEXT,
        node=_OPTIONAL,
        stage=_OPTIONAL,
        zone=_OPTIONAL,
        does=_TEXT,
        after=_TEXTS,
        after_nodes=_TEXTS,
        timeout=_or_null(_SECONDS),
        retry=_BOOLEAN,
    )
    changed = _object(
        "A changed object: `files` of a cookbook; `diff` of others, null if it is secret.",
        {
            "files": _object(added=_TEXTS, changed=_TEXTS, removed=_TEXTS),
            "metadata": _TEXTS,
            "frozen": _BOOLEAN,
            "diff": _or_null(_TEXTS),
        },
        label=_TEXT,
    )
    deletion = _object(
        nodes=_list(_object(name=_TEXT, machine=_BOOLEAN, registered=_BOOLEAN, host=_BOOLEAN)),
        objects=_TEXTS,
        state=_OPTIONAL,
    )
    server = _object(
        url=_OPTIONAL,
        new=_TEXTS,
        changed=_list(changed),
        gone=_list(_object(kind=_TEXT, label=_TEXT)),
        unchanged=_TEXTS,
    )
    return _object(
        "Null for what was not asked for.",
        delete=_or_null(deletion),
        chef_server=_or_null(server),
        passwords=_or_null(_TEXTS),
        stages=_or_null(_list(_object(name=_TEXT, after=_TEXTS, nodes=_list(node)))),
        steps={
            **_list(step),
            "description": "All steps, in the order in which they would run one at a time.",
        },
        knife=_or_null(_TEXTS),
    )


def _report() -> Schema:
    run = _object(
        id=_COUNT,
        command=_TEXT,
        who=_TEXT,
        deploy=_OPTIONAL,
        manifest=_TEXT,
        started=_TIME,
        ended=_or_null(_TIME),
        seconds=_or_null(_SECONDS),
        exit_code=_or_null(_COUNT),
        ending=_TEXT,
    )
    step = _object(
        step=_TEXT,
        stage=_OPTIONAL,
        attempt=_COUNT,
        result=_TEXT,
        at={**_SECONDS, "description": "Seconds since the start of the run."},
        seconds=_SECONDS,
        text=_TEXT,
        updated=_or_null(_COUNT),
        total=_or_null(_COUNT),
    )
    stage = _object(
        name=_OPTIONAL,
        at=_SECONDS,
        seconds=_SECONDS,
        gate=_or_null(_SECONDS),
        nodes=_COUNT,
        results=_map(_COUNT),
    )
    node = _object(
        node=_TEXT,
        stage=_OPTIONAL,
        result=_TEXT,
        why=_OPTIONAL,
        seconds=_SECONDS,
        steps=_list(step),
    )
    failure = _object(
        node=_OPTIONAL,
        stage=_OPTIONAL,
        step=_TEXT,
        attempt=_COUNT,
        seconds=_SECONDS,
        error=_TEXT,
        log=_OPTIONAL,
        lines=_TEXTS,
    )
    slow = _list(
        _object(
            name=_OPTIONAL,
            recipe=_TEXT,
            nodes=_COUNT,
            seconds=_SECONDS,
            mean=_SECONDS,
            most=_or_null(_SECONDS),
            slowest=_OPTIONAL,
            updated=_COUNT,
            mean_before=_or_null(_SECONDS),
            difference=_or_null(_SECONDS),
        )
    )
    one = _object(
        cloud={**_OPTIONAL, "description": "Its name; null if the manifest is invalid now."},
        run=run,
        steps=_list(step),
        zones=_list(_object(name=_TEXT, result=_TEXT)),
        stages=_list(stage),
        nodes=_list(node),
        failures=_list(failure),
        slow=_object(resources=slow, recipes=slow),
        versions=_object(stackcook=_OPTIONAL, chef=_TEXTS),
    )
    return {"anyOf": [one, _object("With --list, the latest first.", runs=_list(run))]}


def _verify() -> Schema:
    return _object(
        cloud=_CLOUD,
        ok=_BOOLEAN,
        seconds=_SECONDS,
        checks=_list(
            _object(
                "`node` is empty for checks of the whole cloud.",
                name=_TEXT,
                node=_TEXT,
                ok=_BOOLEAN,
                cause=_TEXT,
                remedy=_TEXT,
                seconds=_SECONDS,
                unit=_TEXT,
                zone=_TEXT,
            )
        ),
        notes={
            **_TEXTS,
            "description": "What instances and logs have shown, and what was not checked.",
        },
        screenshots={**_TEXTS, "description": "Files, written with --horizon."},
    )


def _tempest() -> Schema:
    result: Schema = {"enum": ["passed", "failed", "skipped", "not run"]}
    test = _object(
        "`why` is the error or the reason of the skip, `cause` what services logged meanwhile.",
        name=_TEXT,
        result=result,
        seconds=_SECONDS,
        why=_TEXT,
        cause=_TEXT,
    )
    capability = _object(name=_TEXT, result=result, why=_TEXT, tests=_map(result))
    return _object(
        "With --tempest or --interop.",
        cloud=_CLOUD,
        ok=_BOOLEAN,
        seconds=_SECONDS,
        tempest={**_TEXT, "description": "What was run, or the ID of the guideline."},
        workers=_COUNT,
        counts=_object(passed=_COUNT, failed=_COUNT, skipped=_COUNT, not_run=_COUNT),
        directory={**_OPTIONAL, "description": "Where junit.xml and tempest.subunit are."},
        tests=_list(test),
        components=_list(
            _object(name=_TEXT, title=_TEXT, passed=_COUNT, capabilities=_list(capability))
        ),
        notes={**_TEXTS, "description": "What could not be removed or read."},
    )


def _probe() -> Schema:
    seconds = _or_null(_SECONDS)
    gap = _object(
        "From the last successful probe before a failure to the next one.",
        began=_TIME,
        seconds=_SECONDS,
        error={**_TEXT, "description": "The first failure."},
    )
    api = _object(
        "A probe is a few requests; it fails if one of them does. Null without a probe or a"
        " successful request.",
        cloud=_TEXT,
        api={**_TEXT, "description": "Its type in the catalog, or `dashboard`."},
        url=_TEXT,
        ok={**_BOOLEAN, "description": "Without failures, or without gaps over --max-gap."},
        probes=_COUNT,
        failed=_COUNT,
        availability=_or_null({"type": "number", "description": "Share of the time, from 0 to 1."}),
        longest_gap={
            **_SECONDS,
            "description": "Seconds; of a gap, or of the slowest request without one.",
        },
        p50={**seconds, "description": "Half of the successful requests took at most this long."},
        p99={**seconds, "description": "99 % of the successful requests took at most this long."},
        last_error=_OPTIONAL,
        gaps=_list(gap),
    )
    return _object(
        ok=_BOOLEAN,
        began=_TIME,
        seconds=_SECONDS,
        apis=_list(api),
        notes={**_TEXTS, "description": "What could not be deleted."},
    )


def _data() -> dict[str, Schema]:
    """Command → the schema of its ``data``."""
    machine = _object(
        "`memory` in MiB.",
        {
            "memory": _COUNT,
            "cpus": _COUNT,
            "box": _TEXT,
            "cpuset": _TEXT,
            "macs": _TEXTS,
            "numa": _TEXT,
            "container": _TEXT,
            "packages": _TEXT,
            "user": _TEXT,
            "port": _COUNT,
        },
        name=_TEXT,
        address=_OPTIONAL,
    )
    external = _object(network=_TEXT, netmask=_TEXT, gateway=_TEXT, bridge=_TEXT, interface=_TEXT)
    return {
        "init": _object(
            "`written` for a new cloud; `manifest` and `findings` with --from-repository.",
            {
                "written": _TEXTS,
                "manifest": {"type": "object"},
                "findings": _list(_PROBLEM),
                "next": _TEXTS,
            },
            path={**_OPTIONAL, "description": "The manifest; null on standard output."},
        ),
        "check": _object(
            findings=_list(_PROBLEM),
            counts=_object(errors=_COUNT, warnings=_COUNT, files=_COUNT),
            looked_at=_map(_COUNT),
            inventory={
                **_or_null(_object(source=_TEXT, nodes=_TEXTS)),
                "description": "The hosts file or the command, and the nodes that it lists.",
            },
        ),
        "plan": _plan(),
        "upload": _object(created=_TEXTS, updated=_TEXTS, unchanged=_TEXTS, deleted=_TEXTS),
        "deploy": _RUN,
        "converge": _RUN,
        "preflight": _RUN,
        "verify": {"anyOf": [_verify(), _tempest()]},
        "probe": _probe(),
        "status": _object(
            cloud=_CLOUD,
            running={**_BOOLEAN, "description": "Whether a command is running now."},
            nodes=_list(
                _object(
                    node=_TEXT,
                    address=_OPTIONAL,
                    machine={"enum": ["running", "stopped", "absent", "unreachable"]},
                    step=_OPTIONAL,
                    result=_OPTIONAL,
                    when=_or_null(_TIME),
                    check_in={
                        **_or_null(_TIME),
                        "description": "When the last successful chef-client run began.",
                    },
                    why=_OPTIONAL,
                    zone=_OPTIONAL,
                )
            ),
        ),
        "machines": _object(
            "What the Vagrantfile needs; `provider` is null for existing hosts.",
            {name: _TEXT for name in ("box", "network", "netmask", "gateway", "bridge", "key")}
            | {"prefix": _COUNT, "external_network": _or_null(external)},
            name=_TEXT,
            provider=_OPTIONAL,
            machines=_list(machine),
        ),
        "logs": _object(node=_TEXT, log=_TEXT, lines=_TEXTS),
        "report": _report(),
        "node remove": _RUN,
        "destroy": _RUN,
        "up": _RUN,
        "down": {
            "anyOf": [_RUN, _object("With several NAMEs, the run of each.", runs=_list(_RUN))]
        },
        "ps": _object(
            clouds=_list(
                _object(
                    "`memory` in use is in bytes. `nodes` has the containers, and whether each is"
                    " running. `damage` says why little is known of an ephemeral cloud.",
                    name=_TEXT,
                    state=_TEXT,
                    nodes=_map(_BOOLEAN),
                    memory=_COUNT,
                    user=_OPTIONAL,
                    began=_or_null(_TIME),
                    expires=_or_null(_TIME),
                    directory=_TEXT,
                    damage=_OPTIONAL,
                )
            )
        ),
        "snapshot save": _RUN,
        "snapshot restore": _RUN,
        "snapshot list": _object(
            "Of an unreadable one, the file that describes it is damaged or of another version.",
            snapshots=_list(_snapshot(used_by={**_TEXTS, "description": "Names of containers."})),
            unreadable=_list(_object(name=_TEXT, error=_TEXT)),
        ),
        "snapshot remove": _object(name=_TEXT),
        "snapshot export": _object("The size is in bytes.", file=_TEXT, size=_COUNT),
        "snapshot import": _object(snapshot=_snapshot()),
        "server start": _object(url=_TEXT),
        "server stop": _object(stopped=_BOOLEAN),
        "server status": _object(running=_BOOLEAN, pid=_or_null(_COUNT), url=_OPTIONAL, log=_TEXT),
        "bundle": _object(
            "The size is in bytes; `unknown` are packages that no mirror has.",
            path=_TEXT,
            size=_COUNT,
            packages=_COUNT,
            cookbooks=_COUNT,
            box=_BOOLEAN,
            unknown=_TEXTS,
        ),
        "sbom": _object(
            "`licenses` as the software declares them; empty if unknown.",
            components=_list(
                _object(kind=_TEXT, name=_TEXT, version=_TEXT, purl=_TEXT, licenses=_TEXTS)
            ),
        ),
        "box build": _object(
            "`name` and `path` are those of the ordinary box; `warm` is for --warm.",
            name=_TEXT,
            path=_TEXT,
            warm=_list(_object(name=_TEXT, path=_TEXT, nodes=_TEXTS)),
        ),
        "topology": _object(svg=_TEXT, nodes=_TEXTS),
        "kitchen": _object("`yaml` is the kitchen.local.yml.", yaml=_TEXT, nodes=_TEXTS),
        "open": _object(url=_TEXT, opened=_BOOLEAN),
        "tunnel": _object(
            "`command` reaches Horizon at `url`, `socks` all of the cloud.",
            command=_TEXT,
            url=_TEXT,
            socks=_TEXT,
        ),
        "schema": {"type": "object"},
        "help": _object("`topic` is null without one.", topic=_OPTIONAL, text=_TEXT),
        "completion": _object(shell={"enum": ["bash", "zsh", "fish"]}, script=_TEXT),
        "setup": _object(
            "What was missing: names of Debian packages, and the number of gems.",
            packages=_TEXTS,
            gems=_COUNT,
            unavailable={**_TEXTS, "description": "Packages that no source of apt has."},
            installed=_BOOLEAN,
        ),
        "doctor": _object(
            missing=_COUNT,
            tools=_list(
                _object(name=_TEXT, purpose=_TEXT, found=_TEXT, remedy=_TEXT, needed=_BOOLEAN)
            ),
        ),
    }


def schema() -> Schema:
    """The schema, as JSON holds it."""
    document = _object(
        "What every command prints with --json, also if it fails. New fields may be added.",
        version={
            "const": 1,
            "description": "Changed when a field is removed, or means something else.",
        },
        command={**_OPTIONAL, "description": "Null if none was recognized."},
        exit_code={**_COUNT, "description": "The exit code of the process."},
        data={"description": "The command's result; null if there is none."},
        errors={**_list(_PROBLEM), "description": "Why the command could not do its work."},
    )
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "stackcook --json",
        **document,
        "definitions": _DEFINITIONS,
        "allOf": [
            {
                "if": {"properties": {"command": {"const": command}}},
                "then": {"properties": {"data": _or_null(found)}},
            }
            for command, found in _data().items()
        ],
    }
