"""``run``: check, confirm, place the calls, write the results sheet; again to resume."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from dispatcher.cli import asking, emergency, results
from dispatcher.cli.campaigns import as_typed, ledger_place
from dispatcher.cli.dry_run import show_requests
from dispatcher.cli.job import Api, Job, last_snapshot, unknown_campaign
from dispatcher.cli.live import Lived, live, while_writing
from dispatcher.cli.options import RunOptions, SheetOptions
from dispatcher.cli.reading import (
    STANDARD_INPUT,
    CampaignSheet,
    FoundSettings,
    find_settings,
    opened,
    pairs_of,
)
from dispatcher.cli.reconcile import reconcile_before
from dispatcher.cli.recording import forgotten_if_refused, record
from dispatcher.cli.rehearsal import BASE_URL as SANDBOX_URL
from dispatcher.cli.rehearsal import rehearsal
from dispatcher.cli.signals import finishing
from dispatcher.cli.terminal import counted, is_interactive, one_line, put_json, say
from dispatcher.cli.times import stop_moment
from dispatcher.config import (
    BASE_URL_VARIABLE,
    LEDGER_VARIABLE,
    Settings,
    overlay,
    read_api_key,
)
from dispatcher.errors import CampaignHeld, DispatcherError, StorageFailed, UsageProblem
from dispatcher.ledger import Ledger, open_ledger
from dispatcher.model import (
    CallStatus,
    Campaign,
    Purpose,
    Snapshot,
    StopWord,
)
from dispatcher.planning import campaign_name, key_columns, layout_needs
from dispatcher.pool import Unrecorded
from dispatcher.progress import Quietness
from dispatcher.report import (
    RunFacts,
    exit_status,
    run_json,
    summary_lines,
    summary_pairs,
    this_run_counts,
)
from dispatcher.writer import Target

_NOTHING = dict.fromkeys(CallStatus, 0)


def run_sheet(options: RunOptions) -> int:
    """
    Do the whole job.

    Returns:
        The exit status that follows from the final counts of the sheet's rows.

    Raises:
        DispatcherError: nothing was placed, or what was placed could not be written down.
    """
    run = _Run(options)
    try:
        with ExitStack() as stack:
            status = run.execute(stack)
    except DispatcherError as error:
        run.facts = replace(run.facts, message=error.message, exit_code=error.exit_code)
        run.tell_json()
        raise
    except Exception as bug:
        said = f"unexpected error: {type(bug).__name__}"
        run.facts = replace(run.facts, message=said, exit_code=DispatcherError.exit_code)
        run.tell_json()
        raise
    run.tell_json()
    return status


def tell_refusal(message: str) -> None:
    """Print the JSON of a run that could not begin because its options make no sense."""
    run = _Run(RunOptions(source=SheetOptions(json=True)))
    run.facts = replace(run.facts, message=message, exit_code=UsageProblem.exit_code)
    run.tell_json()


class _Run:
    """One execution of the command; ``facts`` grows with what is known."""

    def __init__(self, options: RunOptions) -> None:
        self.options = options
        now = datetime.now(tz=UTC)
        self.facts = RunFacts(
            sheet=options.source.path,
            counts=_NOTHING,
            this_run=_NOTHING,
            started_at=now,
            finished_at=now,
            exit_code=0,
        )

    def tell_json(self) -> None:
        if self.options.source.json and not self.options.dry_run:
            facts = replace(self.facts, finished_at=datetime.now(tz=UTC))
            put_json(json.dumps(run_json(facts), ensure_ascii=False))

    def execute(self, stack: ExitStack) -> int:
        options = self.options
        self._refuse_nonsense()
        found, api, place = self._prepare(stack)
        settings = found.settings
        sheet = self._open(stack, settings)
        if options.dry_run:
            return show_requests(options, sheet, settings, place=place, purpose=api.purpose)
        ledger = stack.enter_context(
            open_ledger(
                place,
                purpose=api.purpose,
                create=not options.existing_ledger,
                allow_network=options.ledger_on_network,
            )
        )
        self.facts = replace(self.facts, ledger=ledger.location, purpose=api.purpose)
        campaign = self._claim(stack, ledger, sheet, settings, api)
        with forgotten_if_refused(ledger, campaign):
            target = self._target(ledger, campaign, sheet)
            if left_over := ledger.settle_left_over(campaign.id, at=self.facts.started_at):
                calls = counted(left_over, "call")
                say(f"Now uncertain: {calls} that an earlier run had marked when it ended.")
            snapshot = self._snapshot(ledger, campaign, sheet)
        job = Job(
            options=options,
            settings=settings,
            api=api,
            ledger=ledger,
            campaign=campaign,
            snapshot=snapshot,
            target=target,
            config=found.path,
        )
        reconcile_before(job)
        return self._place(job)

    def _refuse_nonsense(self) -> None:
        source = self.options.source
        stop_moment(self.options.stop_at, timezone="")
        if not source.path and not source.campaign:
            raise UsageProblem(
                "there is nothing to run",
                hint="name a sheet, or continue a campaign with --campaign NAME",
            )
        if source.path == STANDARD_INPUT and not source.campaign:
            raise UsageProblem(
                "standard input has no name", hint="name the campaign: --campaign NAME"
            )
        if not (self.options.yes or self.options.dry_run or is_interactive()):
            raise UsageProblem(
                "there is no terminal to ask on", hint="say yes beforehand with --yes"
            )

    def _prepare(self, stack: ExitStack) -> tuple[FoundSettings, Api, str]:
        """Settings, API and ledger: a rehearsal has its own and looks at nobody's key."""
        options = self.options
        ignored = {BASE_URL_VARIABLE, LEDGER_VARIABLE} if options.sandbox else set()
        environment = {k: v for k, v in os.environ.items() if k not in ignored}
        found = find_settings(
            options.source.config, sheet=options.source.path, environment=environment
        )
        settings = overlay(
            found.settings,
            rate=options.rate,
            workers=options.workers,
            agent_id=options.agent_id,
            from_number_id=options.from_number_id,
            columns=pairs_of(options.source.maps),
        )
        if options.sandbox:
            return self._prepare_rehearsal(stack, found, settings)
        base_url = settings.api.base_url
        key = "" if options.dry_run else read_api_key(os.environ).reveal()
        api = Api(base_url=base_url, known_as=base_url, key=key, purpose=Purpose.REAL)
        return replace(found, settings=settings), api, ledger_place(options.ledger, settings)

    def _prepare_rehearsal(
        self, stack: ExitStack, found: FoundSettings, settings: Settings
    ) -> tuple[FoundSettings, Api, str]:
        stand_in = stack.enter_context(rehearsal(ledger=self.options.ledger))
        say("REHEARSAL on the sandbox: nobody is called.")
        api = Api(
            base_url=stand_in.url,
            known_as=SANDBOX_URL,
            key=stand_in.key,
            purpose=Purpose.SANDBOX,
        )
        settings = overlay(
            settings,
            agent_id=settings.defaults.agent_id or stand_in.agent_id,
            from_number_id=settings.defaults.from_number_id or stand_in.from_number_id,
        )
        return replace(found, settings=settings), api, stand_in.ledger

    def _open(self, stack: ExitStack, settings: Settings) -> CampaignSheet | None:
        source = self.options.source
        if not source.path:
            return None
        sheet = stack.enter_context(opened(source, settings))
        self.facts = replace(self.facts, campaign=sheet.plan.campaign)
        needs = layout_needs(sheet.layout, sheet.plan)
        if needs:
            options = " and ".join(f"--{name.replace('_', '-')}" for name in needs)
            raise UsageProblem(
                f"{source.path}: no column and no default gives {' and '.join(needs)}",
                hint=f"set it under defaults: in the configuration, or give {options}",
            )
        return sheet

    def _claim(
        self,
        stack: ExitStack,
        ledger: Ledger,
        sheet: CampaignSheet | None,
        settings: Settings,
        api: Api,
    ) -> Campaign:
        if sheet is not None:
            name = sheet.plan.campaign
        else:
            name = campaign_name(self.options.source.campaign)
            known = ledger.campaign(name)
            if known is None:
                raise unknown_campaign(name, ledger)
        typed = as_typed(name, ledger, settings)
        self.facts = replace(self.facts, campaign=name, as_typed=typed)
        try:
            stack.enter_context(ledger.holding.hold(name))
        except CampaignHeld as held:
            hint = f"wait for it, or end it with: dispatcher stop {typed}"
            raise CampaignHeld(held.message, hint=hint) from held
        return ledger.claim_campaign(
            name,
            key_columns=key_columns(settings.key),
            base_url=api.known_as,
        )

    def _target(self, ledger: Ledger, campaign: Campaign, sheet: CampaignSheet | None) -> Target:
        if sheet is not None:
            head = sheet.sheet.head
            file, input_format, delimiter = head.file, head.format, head.delimiter
        else:
            last = last_snapshot(ledger, campaign)
            file, input_format, delimiter = last.head.file, last.head.format, last.head.delimiter
        if file == STANDARD_INPUT:
            file = f"{campaign.name}.csv"
        target = results.results_target(
            self.options.results, Path(file), input_format=input_format, delimiter=delimiter
        )
        unread = emergency.take_in(ledger, campaign, results=target.path)
        if ledger.purpose is Purpose.REAL:
            results.refuse_foreign(target, ledger, sheet=Path(file), unread=unread)
        return target

    def _snapshot(
        self, ledger: Ledger, campaign: Campaign, sheet: CampaignSheet | None
    ) -> Snapshot:
        if sheet is None:
            snapshot = last_snapshot(ledger, campaign)
            self.facts = replace(self.facts, sheet=snapshot.head.file)
            return snapshot
        snapshot = record(ledger, campaign, sheet, self.options, at=self.facts.started_at)
        if not self.options.source.campaign and ledger.last_run(campaign.id) is None:
            asking.refuse_overlap(ledger, campaign, snapshot, now=self.facts.started_at)
        return snapshot

    def _place(self, job: Job) -> int:
        due = asking.survey(job, now=self.facts.started_at)
        asking.announce(job, due, started_at=self.facts.started_at)
        if due.count and not self.options.yes:
            asking.confirm(due.count)
        if due.count:
            job.ledger.reserve_space(calls=due.count)
        run_id = job.ledger.begin_run(job.run_start(self.facts.started_at))
        rescue = emergency.Rescue(job.ledger, job.campaign, results=job.target.path)
        make_pool = partial(job.pool, due.calls, lost=rescue.keep)
        shown = Quietness.NORMAL if due.count and not self.options.quiet else Quietness.QUIET
        lived = live(make_pool, due=due.count, quietness=shown)
        finished_at = datetime.now(tz=UTC)
        with finishing(while_writing(self.facts.as_typed)):
            rescue.tell()
            lived = emergency.ended(job.ledger, run_id, lived, finished_at)
            status = self._write(job, lived, finished_at, rescue.unrecorded)
        if lived.bug is not None:
            raise lived.bug
        return status

    def _write(
        self, job: Job, lived: Lived, finished_at: datetime, unrecorded: Sequence[Unrecorded]
    ) -> int:
        done = lived.dispatched
        # What is known also where the rows cannot be counted any more.
        this_run = this_run_counts(done.counts, final=_NOTHING)
        self.facts = replace(self.facts, stopped=done.stopped, this_run=this_run)

        def facts_of(standing: results.Standing) -> RunFacts:
            return replace(
                self.facts,
                counts=standing.counts,
                this_run=this_run_counts(done.counts, final=standing.counts),
                stopped=done.stopped,
                message=done.message,
                finished_at=finished_at,
                exit_code=exit_status(
                    standing.counts, stopped=done.stopped, signal_number=lived.signal_number
                ),
            )

        timezone = job.settings.defaults.timezone
        written, standing = results.write_somewhere(
            job.view(finished_at, unrecorded=unrecorded),
            job.target,
            sheet=Path(job.snapshot.head.file),
            summary=lambda standing: summary_pairs(facts_of(standing), timezone=timezone),
        )
        self.facts = replace(facts_of(standing), results=str(written.path))
        for line in summary_lines(self.facts, standing.groups):
            say(one_line(line))
        with ExitStack() as known:
            if done.stopped is StopWord.LEDGER_FAILED:
                say("Mend the place of the ledger, then run again: it settles what it can.")
                known.enter_context(suppress(StorageFailed))
            results.note(job.ledger, written, job.campaign)
        return self.facts.exit_code
