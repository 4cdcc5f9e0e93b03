"""The commands and their options; each does its work in a module of its own, imported when used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from dispatcher import __version__
from dispatcher.cli import options as opt
from dispatcher.cli.signals import interruptible
from dispatcher.cli.terminal import put, say_error
from dispatcher.errors import DispatcherError, UsageProblem


def _leave(status: int, **_: object) -> NoReturn:
    raise typer.Exit(status)


app = typer.Typer(
    result_callback=_leave,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Calls everyone on a spreadsheet, once, through ContactShip's AI phone calls.",
    epilog="The API key is read from CONTACTSHIP_API_KEY or CONTACTSHIP_API_KEY_FILE.",
)


def run_app(arguments: list[str]) -> int:
    """Run one command and return its exit status; every expected ending is one line on stderr."""
    try:
        with interruptible():
            app(args=arguments)
    except DispatcherError as error:
        say_error(error)
        return error.exit_code
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 0
        if status == UsageProblem.exit_code and arguments[:1] == ["run"] and "--json" in arguments:
            from dispatcher.cli.run import tell_refusal

            tell_refusal("an option or argument is not right; stderr says which")
        return status
    return 0


def _show_version(*, value: bool) -> None:
    if value:
        put(f"dispatcher {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


@app.command()
def check(
    sheet: opt.SheetPath,
    *,
    config: opt.Config = None,
    sheet_name: opt.SheetName = "",
    maps: opt.Maps = None,
    encoding: opt.Encoding = "",
    delimiter: opt.Delimiter = "",
    header_row: opt.HeaderRow = 0,
    hidden: opt.Hidden = None,
    campaign: opt.CampaignName = "",
    problems: opt.Problems = None,
    json: opt.Json = False,
) -> int:
    """Read and validate a sheet; send nothing."""
    from dispatcher.cli.check import check_sheet

    return check_sheet(
        opt.SheetOptions(
            path=sheet,
            config=config,
            sheet=sheet_name,
            maps=tuple(maps or ()),
            encoding=encoding,
            delimiter=delimiter,
            header_row=header_row,
            hidden=hidden,
            campaign=campaign,
            problems=problems,
            json=json,
        )
    )


@app.command()
def run(
    sheet: opt.OptionalSheet = "",
    *,
    config: opt.Config = None,
    sheet_name: opt.SheetName = "",
    maps: opt.Maps = None,
    encoding: opt.Encoding = "",
    delimiter: opt.Delimiter = "",
    header_row: opt.HeaderRow = 0,
    hidden: opt.Hidden = None,
    campaign: opt.CampaignName = "",
    problems: opt.Problems = None,
    json: opt.Json = False,
    results: opt.Results = None,
    ledger: opt.Ledger = "",
    ledger_on_network: opt.LedgerOnNetwork = False,
    rate: opt.Rate = "",
    workers: opt.Workers = "",
    agent_id: opt.AgentId = "",
    from_number_id: opt.FromNumberId = "",
    limit: opt.Limit = 0,
    stop_at: opt.StopAt = "",
    max_minutes: opt.MaxMinutes = 0.0,
    retry_rejected: opt.RetryRejected = False,
    retry_unplaced: opt.RetryUnplaced = False,
    accept_ids: opt.AcceptIds = False,
    accept_cut_row: opt.AcceptCutRow = False,
    dry_run: opt.DryRun = False,
    sandbox: opt.Sandbox = False,
    existing_ledger: opt.ExistingLedger = False,
    no_reconcile: opt.NoReconcile = False,
    quiet: opt.Quiet = False,
    yes: opt.Yes = False,
) -> int:
    """Check, confirm, place the calls, write the results sheet. Running it again resumes."""
    from dispatcher.cli.run import run_sheet

    source = opt.SheetOptions(
        path=sheet,
        config=config,
        sheet=sheet_name,
        maps=tuple(maps or ()),
        encoding=encoding,
        delimiter=delimiter,
        header_row=header_row,
        hidden=hidden,
        campaign=campaign,
        problems=problems,
        json=json,
    )
    return run_sheet(
        opt.RunOptions(
            source=source,
            results=results,
            ledger=ledger,
            ledger_on_network=ledger_on_network,
            rate=rate,
            workers=workers,
            agent_id=agent_id,
            from_number_id=from_number_id,
            limit=limit,
            stop_at=stop_at,
            max_minutes=max_minutes,
            retry_rejected=retry_rejected,
            retry_unplaced=retry_unplaced,
            accept_ids=accept_ids,
            accept_cut_row=accept_cut_row,
            dry_run=dry_run,
            sandbox=sandbox,
            existing_ledger=existing_ledger,
            reconcile=not no_reconcile,
            quiet=quiet,
            yes=yes,
        )
    )


@app.command()
def status(
    campaign: Annotated[str, typer.Argument(metavar="[CAMPAIGN]")] = "",
    *,
    ledger: opt.Ledger = "",
    ledger_on_network: opt.LedgerOnNetwork = False,
    config: opt.Config = None,
    json: opt.Json = False,
) -> int:
    """Show the campaigns with their counts, unfinished ones first, or one campaign."""
    from dispatcher.cli.campaigns import show_status

    return show_status(
        campaign, ledger=ledger, on_network=ledger_on_network, config=config, json=json
    )


@app.command()
def results(
    campaign: opt.Campaign,
    *,
    results: opt.Results = None,
    ledger: opt.Ledger = "",
    ledger_on_network: opt.LedgerOnNetwork = False,
    config: opt.Config = None,
    json: opt.Json = False,
) -> int:
    """Write the results sheet again from the ledger, also while a run is live."""
    from dispatcher.cli.campaigns import write_results_again

    return write_results_again(
        campaign,
        results_path=results,
        ledger=ledger,
        on_network=ledger_on_network,
        config=config,
        json=json,
    )


@app.command()
def resolve(
    campaign: opt.Campaign,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the ledger.")],
    contact: Annotated[str, typer.Option("--contact", help="Contact id of the call.")] = "",
    row: Annotated[int, typer.Option("--row", min=0, help="Row of the last snapshot.")] = 0,
    placed: Annotated[str, typer.Option("--placed", help="It was placed, with this call id.")] = "",
    not_placed: Annotated[bool, typer.Option("--not-placed", help="It was not placed.")] = False,
    ledger: opt.Ledger = "",
    ledger_on_network: opt.LedgerOnNetwork = False,
    config: opt.Config = None,
    yes: opt.Yes = False,
) -> int:
    """Settle one uncertain call by what a person found out."""
    from dispatcher.cli.resolve import Settlement, resolve_call

    return resolve_call(
        Settlement(
            campaign=campaign,
            contact=contact,
            row=row,
            placed=placed,
            not_placed=not_placed,
            reason=reason,
        ),
        ledger=ledger,
        on_network=ledger_on_network,
        config=config,
        yes=yes,
    )


@app.command()
def stop(
    campaign: opt.Campaign,
    *,
    ledger: opt.Ledger = "",
    ledger_on_network: opt.LedgerOnNetwork = False,
    config: opt.Config = None,
) -> int:
    """Ask a live run, also another user's, to end as with Ctrl-C."""
    from dispatcher.cli.stop import stop_run

    return stop_run(campaign, ledger=ledger, on_network=ledger_on_network, config=config)


@app.command()
def reconcile(
    campaign: opt.Campaign,
    *,
    settle_minutes: Annotated[
        float, typer.Option("--settle-minutes", min=0, help="No trace before is none.")
    ] = 10.0,
    ledger: opt.Ledger = "",
    ledger_on_network: opt.LedgerOnNetwork = False,
    config: opt.Config = None,
    json: opt.Json = False,
) -> int:
    """Look for uncertain calls in ContactShip's list, and settle those that are there."""
    from dispatcher.cli.reconcile import ReconcileOptions, reconcile_campaign

    return reconcile_campaign(
        ReconcileOptions(
            campaign=campaign,
            settle_minutes=settle_minutes,
            ledger=ledger,
            ledger_on_network=ledger_on_network,
            config=config,
            json=json,
        )
    )


@app.command()
def purge(
    *,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="E.g. 90d, 12w, 48h.")
    ],
    ledger: opt.Ledger = "",
    ledger_on_network: opt.LedgerOnNetwork = False,
    config: opt.Config = None,
    json: opt.Json = False,
    yes: opt.Yes = False,
) -> int:
    """Remove personal data of old campaigns from the ledger; who was called stays known."""
    from dispatcher.cli.purge import purge_ledger

    return purge_ledger(
        older_than, ledger=ledger, on_network=ledger_on_network, config=config, yes=yes, json=json
    )


@app.command()
def sandbox(
    *,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 for a free one.")] = 8400,
    faults: Annotated[Path | None, typer.Option("--faults", help="YAML or JSON file.")] = None,
    generation: Annotated[str, typer.Option("--generation", help="Answers as in a or b.")] = "b",
    rate: Annotated[int, typer.Option("--rate", min=0, help="Calls a minute; 0: no limit.")] = 120,
) -> int:
    """Serve the local stand-in for the API; nobody is called."""
    from dispatcher.cli.rehearsal import serve_sandbox

    return serve_sandbox(port=port, faults=faults, generation=generation, rate=rate)


@app.command()
def agents(*, config: opt.Config = None, json: opt.Json = False) -> int:
    """List the agents a call can be made with."""
    from dispatcher.cli.lookups import show_agents

    return show_agents(config=config, json=json)


@app.command()
def numbers(*, config: opt.Config = None, json: opt.Json = False) -> int:
    """List the numbers a call can come from."""
    from dispatcher.cli.lookups import show_numbers

    return show_numbers(config=config, json=json)


@app.command("credits")
def balance(*, config: opt.Config = None, json: opt.Json = False) -> int:
    """Show the balance; also a check of the key."""
    from dispatcher.cli.lookups import show_credits

    return show_credits(config=config, json=json)
