/**
 * What readers and writers of the ledger may see of each other, checked over a history of one test. The writers keep to
 * one event in flight each; every reader verifies what it reads. What the product promises, and is checked here:
 *
 * 1. Writes are ordered by height as they were by time: an event that was sent after another was acknowledged is in a
 *    later block, whoever wrote the two and whoever acknowledged them.
 * 2. A record is a function of the height: reads that prove the same height show the same; at a greater height a record
 *    is at least as new. So what was not acknowledged may be there or not, but once read it does not vanish.
 * 3. An acknowledged event is in the record from the block on that the acknowledgement named, and not before it.
 * 4. What is read was submitted, before the read ended, by the node whose record it is, and says what it said then.
 * 5. A validator does not go back behind what it said itself, over all its lives: a read that it serves proves at least
 *    every height that it acknowledged, or proved to anybody, before the read began (`src/node/read-service.ts` serves
 *    the durable head). An acknowledgement without a height is held against the record instead.
 * 6. A reader that brings what it holds is never given less: `VerifiedReader.readFromHint` takes no lower height.
 * 7. An age is a bound: of the f + 1 validators whose statements it rests on, one has a clock that is right, and had
 *    not acknowledged, at that time, anything above the height that is proven (docs/adr/0009).
 *
 * Not promised, and not checked: that a read from one validator shows at once what another has acknowledged. 1 to 5
 * make all reads and writes at one validator linearizable, and those of all validators together sequentially consistent
 * with their heights as the order.
 *
 * Times are those of the test's own process, unix milliseconds; "before" means in an earlier millisecond.
 */
import type { Acknowledgement, Submission } from './load.ts';

export interface Reading {
  readonly reader: string;
  readonly peerId: string;
  /** Name of the validator; `kept`: nobody proved more than what the reader brought itself. */
  readonly servedBy: string;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly height: number;
  /** Null: proven absent; the version then too. */
  readonly lastSeq: number | null;
  readonly version: string | null;
  readonly ageMs: number | null;
  /** Height of what the reader brought; null: it brought nothing. */
  readonly floor: number | null;
}

export interface History {
  /** Every event that was ever sent. */
  readonly submissions: readonly Submission[];
  /** An event that several validators acknowledged is in it as often. */
  readonly acknowledged: readonly Acknowledgement[];
  readonly readings: readonly Reading[];
  /** Validators, by name. */
  readonly validators: readonly string[];
  /** Those whose clocks were wrong at some time; more than f may be, if they were too far ahead to count, or behind. */
  readonly wrongClocks: readonly string[];
}

export const KEPT = 'kept';
const FAULTS_SHOWN = 20;

/** What is wrong with a history, one sentence each, the first few. */
export function linearizabilityFaults(history: History): string[] {
  const faults = [
    ...orderFaults(history),
    ...recordFaults(history),
    ...visibilityFaults(history),
    ...inventedFaults(history),
    ...serverFaults(history),
    ...floorFaults(history),
    ...ageFaults(history),
  ];
  return faults.slice(0, FAULTS_SHOWN);
}

/** Property 1. */
function orderFaults({ submissions, acknowledged }: History): string[] {
  const sentMs = new Map(submissions.map((submission) => [submission.id, submission.sentMs]));
  const known = new Steps(acknowledged.map(({ atMs, height }) => [atMs, height ?? 0]));
  return acknowledged.flatMap(({ id, height, by }) => {
    const sent = sentMs.get(id);
    if (sent === undefined) return [`event ${id}, acknowledged by ${by}, was never sent`];
    const before = known.before(sent);
    if (height === null || height > before) return [];
    return [`event ${id} is in block ${height} by ${by}, and was sent after block ${before} was acknowledged`];
  });
}

/** Property 2. */
function recordFaults({ readings }: History): string[] {
  return [...byPeer(readings)].flatMap(([peerId, ofPeer]) => {
    const rising = ofPeer.toSorted((a, b) => a.height - b.height || a.startedMs - b.startedMs);
    return rising.flatMap((reading, index) => {
      const before = rising[index - 1];
      if (before === undefined) return [];
      const [older, newer] = [seqOf(before), seqOf(reading)];
      if (before.height === reading.height ? older === newer : older <= newer) return [];
      const heights = `height ${before.height}, and ${newer} at height ${reading.height}`;
      return [`the record of ${peerId} is at ${older} at ${heights}`];
    });
  });
}

/** Property 3. */
function visibilityFaults({ acknowledged, readings }: History): string[] {
  const readingsOf = byPeer(readings);
  return acknowledged.flatMap(({ peerId, seq, height, by }) => {
    if (height === null) return [];
    const wrong = (readingsOf.get(peerId) ?? []).find((reading) =>
      reading.height >= height ? seqOf(reading) < seq : seqOf(reading) >= seq,
    );
    if (wrong === undefined) return [];
    const said = `${seq} of ${peerId} is in block ${height} by ${by}`;
    return [`${said}; ${wrong.servedBy} proves ${wrong.lastSeq} at height ${wrong.height}`];
  });
}

/** Property 4. */
function inventedFaults({ submissions, readings }: History): string[] {
  const submitted = new Map(submissions.map((submission) => [`${submission.peerId} ${submission.seq}`, submission]));
  return readings.flatMap(({ peerId, lastSeq, version, servedBy, endedMs }) => {
    if (lastSeq === null) return [];
    const submission = submitted.get(`${peerId} ${lastSeq}`);
    const read = `${servedBy} proves ${lastSeq} of ${peerId}`;
    if (submission === undefined) return [`${read}, which was never submitted`];
    if (submission.version !== version) return [`${read} as ${version}; it said ${submission.version}`];
    return submission.sentMs > endedMs ? [`${read}, before it was sent`] : [];
  });
}

/** Property 5. */
function serverFaults({ acknowledged, readings, validators }: History): string[] {
  return validators.flatMap((name) => {
    const acknowledgedHere = acknowledged.filter(({ by }) => by === name);
    const served = readings.filter(({ servedBy }) => servedBy === name);
    const known = new Steps([
      ...acknowledgedHere.map(({ atMs, height }) => [atMs, height ?? 0] as const),
      ...served.map(({ endedMs, height }) => [endedMs, height] as const),
    ]);
    const withoutHeight = byPeer(acknowledgedHere.filter(({ height }) => height === null));
    return served.flatMap((reading) => {
      const before = known.before(reading.startedMs);
      if (reading.height < before) return [`${name} proves height ${reading.height} after it had told of ${before}`];
      const told = (withoutHeight.get(reading.peerId) ?? []).filter(({ atMs }) => atMs < reading.startedMs);
      const seq = Math.max(-1, ...told.map((acknowledgement) => acknowledgement.seq));
      if (seqOf(reading) >= seq) return [];
      return [`${name} acknowledged ${seq} of ${reading.peerId}, and proves ${reading.lastSeq} later`];
    });
  });
}

/** Property 6. */
function floorFaults({ readings }: History): string[] {
  return readings.flatMap(({ reader, height, floor, servedBy }) =>
    floor === null || height >= floor ? [] : [`${reader} held height ${floor} and took ${height} from ${servedBy}`],
  );
}

/** Property 7. */
function ageFaults({ acknowledged, readings, validators, wrongClocks }: History): string[] {
  const correct = validators.filter((name) => !wrongClocks.includes(name));
  const known = correct.map(
    (name) => new Steps(acknowledged.filter(({ by }) => by === name).map(({ atMs, height }) => [atMs, height ?? 0])),
  );
  return readings.flatMap(({ height, ageMs, startedMs, servedBy }) => {
    if (ageMs === null) return [];
    const least = Math.min(...known.map((steps) => steps.before(startedMs - ageMs)));
    if (height >= least) return [];
    return [`height ${height} by ${servedBy} is said to be ${ageMs} ms old, when all had told of ${least}`];
  });
}

/** The greatest value by any moment. */
class Steps {
  readonly #times: number[] = [];
  readonly #greatest: number[] = [];

  constructor(steps: readonly (readonly [atMs: number, value: number])[]) {
    let greatest = 0;
    for (const [atMs, value] of steps.toSorted(([a], [b]) => a - b)) {
      greatest = Math.max(greatest, value);
      this.#times.push(atMs);
      this.#greatest.push(greatest);
    }
  }

  /** Zero: there is none. */
  before(ms: number): number {
    let [low, high] = [0, this.#times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#times[middle] as number) < ms) low = middle + 1;
      else high = middle;
    }
    return this.#greatest[low - 1] ?? 0;
  }
}

function seqOf({ lastSeq }: Reading): number {
  return lastSeq ?? -1;
}

function byPeer<T extends { readonly peerId: string }>(all: readonly T[]): Map<string, T[]> {
  return Map.groupBy(all, ({ peerId }) => peerId);
}
