/** What the live view says: a pure function of numbers to lines. */
import type { Percentiles } from './latency.ts';

export interface ProcessFacts {
  readonly name: string;
  /** `null` while the process does not answer. */
  readonly facts: {
    readonly round: number | null;
    readonly height: number;
    readonly stateRoot: string;
    readonly peers: number;
    readonly rssBytes: number;
    readonly isLeader: boolean;
    /** Why it does not sign, or null. */
    readonly silentBecause: string | null;
  } | null;
  /** What to show in place of facts, such as `starting` or `ended with 1, see ...`. */
  readonly note: string | null;
}

export interface ViewFacts {
  readonly chainId: string;
  readonly upSeconds: number;
  readonly directory: string;
  readonly nodes: number;
  readonly speed: number;
  readonly processes: readonly ProcessFacts[];
  readonly commitsPerSecond: number;
  readonly eventsPerSecond: number;
  readonly latencyMs: Percentiles | undefined;
  readonly joined: number;
  readonly submitted: number;
  readonly acknowledged: number;
  readonly refused: number;
  /** Of adversaries, counted apart. */
  readonly forgeriesRefused: number;
  readonly readsOk: number;
  readonly readsFailed: number;
  /** The last thing worth a reader's attention, or null. */
  readonly problem: string | null;
  /** A peer id whose record can be read, for the hint at the end, or null. */
  readonly examplePeerId: string | null;
}

/** @param columns width of the terminal; no line is longer */
export function renderView(view: ViewFacts, columns: number): string[] {
  const lines = [
    `hotledger devnet   ${view.chainId}   up ${clock(view.upSeconds)}`,
    '',
    row(['process', 'round', 'height', 'state root', 'peers', 'memory', '']),
    ...view.processes.map(processLine),
    '',
    `network      ${rate(view.commitsPerSecond)} commits/s   ${rate(view.eventsPerSecond)} events/s   ${latency(view.latencyMs)}`,
    `population   ${view.joined} of ${view.nodes} nodes joined, living ${view.speed} times as fast`,
    `submitted    ${view.submitted}   acknowledged ${view.acknowledged}   refused ${view.refused}   forgeries refused ${view.forgeriesRefused}`,
    `reads        ${view.readsOk} verified by the observer   ${view.readsFailed} failed`,
    '',
    ...(view.problem === null ? [] : [`! ${view.problem}`]),
    ...hint(view),
    `Ctrl-C stops everything and keeps the data in ${view.directory}`,
  ];
  return lines.map((line) => clipped(line, columns));
}

/** One line for a log, where there is no terminal to redraw. */
export function plainLine(view: ViewFacts): string {
  const heights = view.processes.map(({ facts }) => facts?.height ?? '-').join(' ');
  return (
    `${clock(view.upSeconds)} heights ${heights}  ${rate(view.commitsPerSecond)} commits/s  ` +
    `${rate(view.eventsPerSecond)} events/s  ${latency(view.latencyMs)}  acknowledged ${view.acknowledged} of ` +
    `${view.submitted}  reads ${view.readsOk} verified ${view.readsFailed} failed` +
    (view.problem === null ? '' : `  ! ${view.problem}`)
  );
}

const WIDTHS = [-13, 7, 9, 13, 7, 9, -14];

function row(cells: readonly string[]): string {
  return cells
    .map((cell, index) => {
      const width = WIDTHS[index] ?? 0;
      return width < 0 ? cell.padEnd(-width) : cell.padStart(width);
    })
    .join('')
    .trimEnd();
}

function processLine({ name, facts, note }: ProcessFacts): string {
  if (facts === null) return row([name, `  ${note ?? 'starting'}`]);
  const remark = note ?? facts.silentBecause ?? (facts.isLeader ? 'leader' : '');
  return row([
    name,
    facts.round === null ? '-' : String(facts.round),
    String(facts.height),
    facts.stateRoot.slice(0, 8),
    String(facts.peers),
    `${Math.round(facts.rssBytes / 1_000_000)} MB`,
    `  ${remark}`,
  ]);
}

function hint({ examplePeerId, directory }: ViewFacts): string[] {
  if (examplePeerId === null) return [];
  const config = directory === '.devnet' ? '' : ` -c ${directory}/observer/config.json`;
  return [`Try:  npx hotledger get ${examplePeerId}${config}`];
}

function latency(percentiles: Percentiles | undefined): string {
  if (percentiles === undefined) return 'commit latency not known yet';
  return `commit latency p50 ${percentiles.p50.toFixed(0)} ms p99 ${percentiles.p99.toFixed(0)} ms`;
}

function rate(perSecond: number): string {
  return perSecond.toFixed(1);
}

function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}

function clipped(line: string, columns: number): string {
  return line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}…`;
}
