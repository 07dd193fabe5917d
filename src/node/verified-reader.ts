/**
 * Reading a record from other peers: they are asked in turn, each answer is checked by `verifyRead`, and one that does
 * not hold is a reason to ask the next peer, never a result. A running observer and a light reader share this.
 */
import { CodedError, ok, refuse, type Refusal, type Refused, type Result } from '../base/result.ts';
import type { Hash } from '../base/hash.ts';
import type { ChainParameters } from '../ledger/parameters.ts';
import type { TrustedChain } from '../ledger/trusted-chain.ts';
import { checkConsistent, verifyRead, type ReaderTrust, type VerifiedRead } from '../ledger/verified-read.ts';
import type { PeerTarget } from '../net/host.ts';
import type { ReadRequest } from '../net/read.ts';
import type { SignatureScheme } from '../qc/scheme.ts';
import { readReport, type ReadReport } from './read-report.ts';

/** One peer gets at most this long, so that a silent one does not use up the time of all. */
const PEER_DEADLINE_MS = 5_000;
/** Heights whose block ids are remembered, to notice two histories. */
const REMEMBERED_HEIGHTS = 256;

/** Somewhere that answers come from. */
export interface ReadSource {
  /** Peer id, or `dht`. */
  readonly name: string;
  /** It keeps what anybody put there, so its word is nothing: it is believed as a `byzantine` reader believes. */
  readonly isKeeper?: true;
  /**
   * The bytes for `verifyRead`.
   *
   * @param linearizable of a member of a Raft cluster: nothing is missing that was committed before it was asked
   * @throws CodedError when nothing came
   */
  ask(peerId: string, deadlineMs: number, linearizable: boolean): Promise<Result<Uint8Array>>;
}

export interface VerifiedReaderOptions {
  readonly trusted: TrustedChain;
  readonly parameters: Pick<ChainParameters, 'livenessWindowSeconds'>;
  readonly scheme: SignatureScheme;
  readonly nowMs: () => number;
  /** `crash-only`: the peers that are asked are believed of a Raft epoch, each by its connection. Left out: `byzantine`. */
  readonly trust?: ReaderTrust;
}

export interface VerifiedReadOptions {
  /** Refuse what is older, or of unknown age; undefined: any age will do. */
  readonly maxAgeMs: number | undefined;
  readonly timeoutMs: number;
}

/** By what an answer is judged. */
interface Judgement {
  readonly maxAgeMs: number | undefined;
  readonly minHeight: number;
  readonly trust: ReaderTrust;
  /** When a linearizable answer was asked for, unix milliseconds. */
  readonly linearizableSinceMs?: number;
}

/** What holds, as it is reported, and the bytes that prove it. */
interface Held {
  readonly bytes: Uint8Array;
  readonly report: ReadReport;
}

export class VerifiedReader {
  readonly #options: VerifiedReaderOptions;
  readonly #trust: ReaderTrust;
  readonly #seen = new Map<number, { readonly height: number; readonly blockId: Hash }>();
  #stopped: Refused | undefined;

  constructor(options: VerifiedReaderOptions) {
    this.#options = options;
    this.#trust = options.trust ?? 'byzantine';
  }

  /**
   * The first answer that holds. Refusals: `peer-unreachable` when no source answered, else why the last answer does
   * not hold; `conflicting-certificates` from then on, once two quorums contradicted each other.
   *
   * @param sources asked in this order
   */
  async read(
    peerId: string,
    sources: readonly ReadSource[],
    options: VerifiedReadOptions,
  ): Promise<Result<ReadReport>> {
    const { maxAgeMs, timeoutMs } = options;
    const held = await this.#firstThatHolds(peerId, sources, timeoutMs, { maxAgeMs, minHeight: 0, trust: this.#trust });
    return held.ok ? ok(held.value.report) : held;
  }

  /**
   * A record from where it is only kept, as in the DHT: a hint, which peers prove again at their heads. Only what a quorum
   * signed is one. A head below the hint's height is no answer. When no peer proves it, the hint itself is the result, if
   * its age will do.
   *
   * Refusals as `read`, and `behind-hint` where the only peers that answered are behind and the hint itself will not do.
   *
   * @param peers asked for once the hint is there: to look for it makes peers known
   */
  async readFromHint(
    peerId: string,
    hint: ReadSource,
    peers: () => readonly ReadSource[],
    options: VerifiedReadOptions,
  ): Promise<Result<ReadReport>> {
    const giveUpAtMs = this.#options.nowMs() + options.timeoutMs;
    const { maxAgeMs } = options;
    const ofHint = { maxAgeMs: undefined, minHeight: 0, trust: 'byzantine' } as const;
    const kept = await this.#firstThatHolds(peerId, [hint], options.timeoutMs, ofHint);
    if (!kept.ok) return kept;
    const { bytes, report } = kept.value;
    const hintFacts = { height: report.height, lastSeq: report.lastSeq };
    const timeoutMs = giveUpAtMs - this.#options.nowMs();
    const ofPeers = { maxAgeMs, minHeight: report.height, trust: this.#trust };
    const proven = await this.#firstThatHolds(peerId, peers(), timeoutMs, ofPeers);
    if (proven.ok) return ok({ ...proven.value.report, hint: hintFacts });
    if (this.#stopped !== undefined) return this.#stopped;
    const freshEnough = this.#verify(bytes, peerId, { ...ofHint, maxAgeMs });
    if (freshEnough.ok) return ok({ ...report, hint: hintFacts });
    return proven.refusal.code === 'peer-unreachable' ? freshEnough : proven;
  }

  async #firstThatHolds(
    peerId: string,
    sources: readonly ReadSource[],
    timeoutMs: number,
    judgement: Judgement,
  ): Promise<Result<Held>> {
    const giveUpAtMs = this.#options.nowMs() + timeoutMs;
    let refusal: Refusal | undefined;
    let silence: Refusal['details'] = { reason: 'no peer is known to ask' };
    for (const source of sources) {
      if (this.#stopped !== undefined) return this.#stopped;
      const leftMs = giveUpAtMs - this.#options.nowMs();
      if (leftMs <= 0) break;
      const judged = this.#judgementOf(source, judgement);
      const linearizable = judged.linearizableSinceMs !== undefined;
      const answer = await ask(source, peerId, Math.min(leftMs, PEER_DEADLINE_MS), linearizable);
      if (answer instanceof CodedError) {
        silence = { asked: source.name, because: answer.code, reason: answer.message };
        continue;
      }
      const held = answer.ok ? this.#held(answer.value, peerId, source.name, judged) : answer;
      if (held.ok) return held;
      refusal = { ...held.refusal, details: { ...held.refusal.details, servedBy: source.name } };
    }
    if (refusal !== undefined) return { ok: false, refusal };
    return refuse('peer-unreachable', 'nobody answered the read; name another peer', silence);
  }

  /** A member of a Raft cluster signs no statements of its head: whoever wants no old answer asks for a linearizable one. */
  #judgementOf(source: ReadSource, judgement: Judgement): Judgement {
    if (source.isKeeper === true) return { ...judgement, trust: 'byzantine' };
    if (judgement.trust === 'byzantine' || judgement.maxAgeMs === undefined) return judgement;
    return { ...judgement, linearizableSinceMs: this.#options.nowMs() };
  }

  #held(bytes: Uint8Array, peerId: string, servedBy: string, judgement: Judgement): Result<Held> {
    const read = this.#verify(bytes, peerId, judgement);
    if (!read.ok) return read;
    const { height } = read.value;
    const { minHeight } = judgement;
    if (height >= minHeight) return ok({ bytes, report: this.#report(read.value, servedBy) });
    return refuse('behind-hint', 'the peer proves an older state than the one at hand', { height, minHeight });
  }

  #verify(
    bytes: Uint8Array,
    peerId: string,
    { linearizableSinceMs, maxAgeMs, trust }: Judgement,
  ): Result<VerifiedRead> {
    const { trusted, scheme, nowMs } = this.#options;
    const read = verifyRead(bytes, trusted, {
      scheme,
      peerId,
      nowMs: nowMs(),
      trust,
      ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
      ...(linearizableSinceMs === undefined ? {} : { linearizableSinceMs }),
    });
    if (!read.ok) return read;
    const { height, blockId } = read.value;
    const before = this.#seen.get(height);
    const consistent = before === undefined ? read : checkConsistent(before, read.value);
    if (!consistent.ok) {
      this.#stopped = consistent;
      return consistent;
    }
    this.#seen.set(height, { height, blockId });
    const oldest = this.#seen.keys().next();
    if (this.#seen.size > REMEMBERED_HEIGHTS && !oldest.done) this.#seen.delete(oldest.value);
    return read;
  }

  #report(read: VerifiedRead, servedBy: string): ReadReport {
    const { trusted, parameters, nowMs } = this.#options;
    const { chainId, validators } = trusted;
    return readReport(read, servedBy, { chainId, validators, parameters, nowMs: nowMs() });
  }
}

async function ask(
  source: ReadSource,
  peerId: string,
  deadlineMs: number,
  linearizable: boolean,
): Promise<Result<Uint8Array> | CodedError> {
  try {
    return await source.ask(peerId, deadlineMs, linearizable);
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
}

/** Asks one peer over the read protocol. @param read `net/read.ts` bound to a host */
export function peerSource(
  target: PeerTarget,
  read: (target: PeerTarget, request: ReadRequest, deadlineMs: number) => Promise<Result<readonly Uint8Array[]>>,
): ReadSource {
  return {
    name: target.peerId,
    async ask(peerId, deadlineMs, linearizable) {
      const peerIds = [peerId];
      const request: ReadRequest = linearizable
        ? { kind: 'linearizable', peerIds }
        : { kind: 'records', peerIds, withAge: true };
      const answer = await read(target, request, deadlineMs);
      if (!answer.ok) return answer;
      const [bytes] = answer.value;
      return bytes === undefined ? refuse('answer-invalid', 'the peer sent no answer', {}) : { ok: true, value: bytes };
    },
  };
}
