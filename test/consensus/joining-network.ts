/**
 * A network for a joining node, in virtual time: servers are functions from a question to an answer after a while. The
 * contents are texts that name themselves, so that every lie is seen by the check.
 */
import { utf8 } from '../../src/base/bytes.ts';
import { sha256Hex } from '../../src/base/hash.ts';
import { ok, refuse, type Refusal } from '../../src/base/result.ts';
import type {
  JoinEffect,
  JoinInput,
  JoinOutcome,
  JoinQuestion,
  KeptSnapshot,
  SnapshotChecks,
} from '../../src/consensus/join-contract.ts';
import { Joining } from '../../src/consensus/joining.ts';
import { isSameSnapshot, type SnapshotName, type SnapshotOffer } from '../../src/ledger/snapshot-offer.ts';

export type Answer =
  | { readonly afterMs: number; readonly offer: SnapshotOffer }
  | { readonly afterMs: number; readonly bytes: Uint8Array }
  | { readonly afterMs: number; readonly refusal: Refusal }
  | 'never';

export type FakeServer = (what: JoinQuestion, nowMs: number) => Answer;

const TICK_MS = 100;
const START_MS = 1_000_000;

export function snapshotAt(height: number, depth = 3): SnapshotName {
  return { height, stateRoot: sha256Hex(utf8(`state at ${height}`)), depth };
}

export function manifestOf({ height }: SnapshotName): Uint8Array {
  return utf8(`manifest ${height}`);
}

export function chunkOf({ height }: SnapshotName, index: number): Uint8Array {
  return utf8(`chunk ${index} of ${height}`);
}

/** Holds what is named as it should be. */
export const textChecks: SnapshotChecks = {
  manifest: (of, bytes) => (isText(bytes, manifestOf(of)) ? ok(undefined) : refuse('seal-invalid', 'no quorum')),
  chunk: (of, index, bytes) =>
    isText(bytes, chunkOf(of, index)) ? ok(undefined) : refuse('chunk-mismatch', 'another root', { index }),
};

export interface HonestOptions {
  readonly headHeight?: number;
  readonly oldestBlock?: number;
  readonly afterMs?: number;
}

/** Serves these snapshots as they are. */
export function honest(
  snapshots: readonly SnapshotName[],
  { afterMs = 20, headHeight = 1_000, oldestBlock = 1 }: HonestOptions = {},
): FakeServer {
  return (what) => {
    if (what.kind === 'offer') {
      const offered = snapshots.map((of) => ({ ...of, bytes: 1_000 }));
      return { afterMs, offer: { headHeight, oldestBlock, snapshots: offered } };
    }
    if (!snapshots.some((of) => isSameSnapshot(of, what.of)))
      return { afterMs, ...refuse('snapshot-gone', 'not here') };
    return { afterMs, bytes: what.kind === 'manifest' ? manifestOf(what.of) : chunkOf(what.of, what.index) };
  };
}

/** As the server, but for this kind of question. */
export function but(server: FakeServer, kind: JoinQuestion['kind'], instead: FakeServer): FakeServer {
  return (what, nowMs) => (what.kind === kind ? instead(what, nowMs) : server(what, nowMs));
}

export interface Joined {
  readonly outcome: JoinOutcome | null;
  readonly tookMs: number;
  /** What came to be durable, in its order: of the snapshot that was begun last. */
  readonly kept: ReadonlyMap<number, Uint8Array>;
  readonly begun: readonly number[];
  readonly dropped: readonly (readonly [server: string, code: string])[];
  /** Of all questions, by server. */
  readonly asked: ReadonlyMap<string, readonly JoinQuestion[]>;
  readonly mostUnderWay: number;
  readonly joining: Joining;
}

export interface JoinRun {
  readonly servers: Readonly<Record<string, FakeServer>>;
  /** Left out: of texts. */
  readonly checks?: SnapshotChecks;
  readonly started?: KeptSnapshot;
  readonly patienceMs?: number;
  readonly ownHeight?: number | null;
  /** Virtual. */
  readonly limitMs?: number;
  /** Stops when this holds, as a kill would. */
  readonly until?: (kept: ReadonlyMap<number, Uint8Array>) => boolean;
}

interface Due {
  readonly atMs: number;
  readonly input: JoinInput;
}

/** Runs until it ends, or until the time is over. */
export function join(run: JoinRun): Joined {
  const { checks = textChecks, limitMs = 300_000, ownHeight = null, patienceMs = 0, servers, started, until } = run;
  const joining = new Joining({ checks, started: started ?? null, patienceMs, ownHeight });
  const due: Due[] = [{ atMs: START_MS, input: { kind: 'known', servers: Object.keys(servers) } }];
  const kept = new Map<number, Uint8Array>();
  const begun: number[] = [];
  const dropped: (readonly [string, string])[] = [];
  const asked = new Map<string, JoinQuestion[]>(Object.keys(servers).map((id) => [id, []]));
  let outcome: JoinOutcome | null = null;
  let mostUnderWay = 0;
  let nowMs = START_MS;
  for (let nextTickMs = START_MS; outcome === null && nowMs < START_MS + limitMs && until?.(kept) !== true;) {
    const next = due.sort((a, b) => a.atMs - b.atMs)[0];
    const isInput = next !== undefined && next.atMs <= nextTickMs;
    nowMs = isInput ? next.atMs : nextTickMs;
    if (isInput) due.shift();
    else nextTickMs += TICK_MS;
    for (const effect of joining.step(isInput ? next.input : { kind: 'tick' }, nowMs)) perform(effect);
    mostUnderWay = Math.max(mostUnderWay, due.filter(({ input }) => input.kind === 'answered').length);
  }
  return { outcome, tookMs: nowMs - START_MS, kept, begun, dropped, asked, mostUnderWay, joining };

  function perform(effect: JoinEffect): void {
    switch (effect.kind) {
      case 'ask': {
        asked.get(effect.server)?.push(effect.what);
        const answer = (servers[effect.server] as FakeServer)(effect.what, nowMs - START_MS);
        if (answer !== 'never') due.push({ atMs: nowMs + answer.afterMs, input: inputOf(effect.request, answer) });
        return;
      }
      case 'begin':
        begun.push(effect.of.height);
        return kept.clear();
      case 'keep':
        kept.set(effect.index, effect.bytes);
        due.push({ atMs: nowMs + 1, input: { kind: 'kept', of: effect.of, index: effect.index } });
        return;
      case 'dropped':
        dropped.push([effect.server, effect.refusal.code]);
        return;
      case 'failed':
        return;
      case 'end':
        outcome = effect.outcome;
    }
  }
}

function inputOf(request: number, answer: Exclude<Answer, 'never'>): JoinInput {
  if ('offer' in answer) return { kind: 'offered', request, offer: answer.offer };
  if ('bytes' in answer) return { kind: 'answered', request, bytes: answer.bytes };
  return { kind: 'failed', request, refusal: answer.refusal };
}

function isText(bytes: Uint8Array, expected: Uint8Array): boolean {
  return Buffer.compare(bytes, expected) === 0;
}
