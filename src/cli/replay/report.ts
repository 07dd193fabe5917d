/** What a replay found, for people. */
import type { LedgerReplayReport } from '../../node/replay.ts';
import type { ComparedProjection, Difference } from '../../node/replay/compare.ts';
import { printFacts, type Fact } from '../print.ts';
import type { Terminal } from '../terminal.ts';

/** Directory that the rebuilt ledger is left in; null: it was removed. */
export type ToldReplay = LedgerReplayReport & { readonly place: string | null };

const FROM = { genesis: 'genesis', base: 'BASE', snapshot: 'snapshot' };

/** Of a value that differs, so much is shown; `--json` has more. */
const SHOWN_HEX_DIGITS = 128;

/** Names of what is not what the log gives. */
export function differences({ compared }: LedgerReplayReport): readonly string[] {
  if (compared === null) return [];
  const { projections, state } = compared;
  const different = projections
    .filter(({ outcome }) => outcome === 'different')
    .map(({ name }) => `projection ${name}`);
  return state.firstDifference === null ? different : [`state at "${state.firstDifference.key}"`, ...different];
}

export function tellReplay(report: ToldReplay, terminal: Terminal): void {
  const { compared, eventsOfThisRun, from, resumedAt, seconds, verified } = report;
  const checked = [...Object.entries(verified).filter(([, done]) => done), ['roots']].map(([what]) => what);
  const rate = `${seconds.toFixed(1)} s, ${Math.round(eventsOfThisRun / Math.max(seconds, 0.001))} events/s`;
  const began = `${FROM[from.kind]} at height ${from.height}`;
  const facts: Fact[] = [
    ['chain id', report.chainId],
    ['read from', report.source],
    ['from', resumedAt === null ? began : `${began}; this run went on behind height ${resumedAt}`],
    ['height', report.height],
    ['events', report.events],
    ['state root', report.stateRoot],
    ['checked', checked.join(', ')],
    ['took', rate],
  ];
  if (compared === null) facts.push(['state', 'not compared']);
  else {
    const { entries, firstDifference } = compared.state;
    facts.push(['state', firstDifference === null ? `${entries} entries, equal` : 'DIFFERENT']);
    for (const projection of compared.projections) facts.push(projectionFact(projection, report.swapped));
  }
  if (report.swapped.length > 0) facts.push(['put in place', report.swapped.join(', ')]);
  if (report.place !== null) facts.push(['rebuilt in', report.place]);
  printFacts(terminal, facts);
  for (const [what, difference] of differing(report)) tellDifference(what, difference, terminal);
}

function projectionFact({ entries, name, outcome }: ComparedProjection, swapped: readonly string[]): Fact {
  const told = {
    equal: `${entries} rows, equal`,
    different: `DIFFERENT${swapped.includes(name) ? ', and replaced' : '; --swap replaces it'}`,
    absent: 'not compared: there is none',
    'other-version': 'not compared: the one that serves is of another version',
    behind: 'not compared: the one that serves is behind',
    older: 'not compared: it tells of blocks that are no more in the log',
  };
  return [`projection ${name}`, told[outcome]];
}

function differing({ compared }: LedgerReplayReport): readonly (readonly [what: string, difference: Difference])[] {
  const all = compared === null ? [] : [{ name: null, ...compared.state }, ...compared.projections];
  return all.flatMap(({ firstDifference, name }) =>
    firstDifference === null ? [] : [[name === null ? 'state' : `projection ${name}`, firstDifference] as const],
  );
}

function tellDifference(what: string, { key, kept, replayed }: Difference, terminal: Terminal): void {
  terminal.out(`\nthe first difference of ${what}, at ${key}`);
  for (const [whose, value] of [
    ['the log gives', replayed],
    ['kept is', kept],
  ] as const) {
    const hex = value?.hex ?? '';
    const cut = hex.length > SHOWN_HEX_DIGITS ? `${hex.slice(0, SHOWN_HEX_DIGITS)}...` : hex;
    terminal.out(`  ${whose.padEnd(13)}  ${value === null ? 'nothing' : `${value.bytes} bytes: ${cut}`}`);
  }
}
