/**
 * The engine of a peer that does not vote: it executes sealed blocks in the order of their heights.
 *
 * Blocks come by gossip and by synchronisation; a seal needs nothing but the validator set to be verified, so whoever
 * served a block does not matter. What is missing below a block that is known to be sealed is fetched, and now and then
 * the next height is asked for, since the last block of a busy hour may have been lost on its way.
 */
import { assert } from '../base/assert.ts';
import type { Hash } from '../base/hash.ts';
import type { Refusal } from '../base/result.ts';
import type { BlockHeader, SealedBlock } from '../ledger/block.ts';
import type { LedgerMachine } from '../ledger/machine.ts';
import type { StateChange } from '../ledger/state.ts';
import type { ValidatorSet } from '../qc/validator-set.ts';
import type {
  CommittedBlock,
  Effect,
  Engine,
  EngineStatus,
  Input,
  ValidatorIndex,
  VerifiedSealedBlock,
} from './engine.ts';
import { ForwardClock } from './forward-clock.ts';
import { SealedBuffer } from './sealed-buffer.ts';

export interface FollowerOptions {
  readonly machine: LedgerMachine;
  readonly validators: ValidatorSet;
  readonly head: { readonly id: Hash; readonly header: BlockHeader };
  /** How often the next height is asked for when nothing was heard. */
  readonly pollMs: number;
  /** The pause after a question that brought nothing, where something is known to be missing. */
  readonly retryMs: number;
  /** How long one server may take. */
  readonly fetchTimeoutMs: number;
}

type FollowerEffect = Effect<never, never>;

export class Follower implements Engine<never, never, never> {
  readonly #machine: LedgerMachine;
  readonly #validators: ValidatorSet;
  readonly #pollMs: number;
  readonly #retryMs: number;
  readonly #fetchTimeoutMs: number;
  readonly #clock = new ForwardClock();
  readonly #buffer = new SealedBuffer();
  #head: FollowerOptions['head'];
  /** Why it follows no further: the next block is of an event schema that the program does not know. Null: it does. */
  #stopped: Refusal | null = null;
  #requests = 0;
  /** Null while nothing is asked for. */
  #inFlight: { readonly request: number; readonly untilMs: number } | null = null;
  #pollAtMs = 0;
  /** Not before, even where a gap is known. */
  #retryAtMs = 0;

  constructor({ machine, validators, head, pollMs, retryMs, fetchTimeoutMs }: FollowerOptions) {
    assert(machine.head.stateRoot === head.header.stateRoot, 'the machine is at the state of the head', {
      height: head.header.height,
    });
    this.#machine = machine;
    this.#validators = validators;
    this.#pollMs = pollMs;
    this.#retryMs = retryMs;
    this.#fetchTimeoutMs = fetchTimeoutMs;
    this.#head = head;
    this.#stopWhereUnknown();
  }

  step(input: Input<never, never>, nowMs: number): readonly FollowerEffect[] {
    this.#clock.observe(nowMs);
    if (this.#stopped !== null) return [];
    const effects: FollowerEffect[] = [];
    if (input.kind === 'sealed') effects.push(...this.#follow(input.blocks, input.request));
    if (input.kind === 'fetchFailed') this.#failed(input.request, input.refusal);
    if (input.kind === 'announced') this.#pollAtMs = Math.min(this.#pollAtMs, this.#retryAtMs);
    if (this.#stopped === null) effects.push(...this.#ask());
    return effects;
  }

  status(): EngineStatus {
    const { header, id } = this.#head;
    return {
      engine: 'follower',
      epoch: this.#validators.epoch,
      round: header.round,
      height: header.height,
      headId: id,
      stateRoot: header.stateRoot,
      highCertificateRound: header.round,
      lockedRound: 0,
      lastVotedRound: 0,
      uncommittedBlocks: 0,
      mempoolEvents: 0,
      idle: this.#stopped !== null || this.#buffer.highest === undefined,
      leader: null,
      silentBecause: this.#stopped?.message ?? 'a follower does not vote',
    };
  }

  wakeAtMs(): number | undefined {
    if (this.#stopped !== null) return undefined;
    return this.#clock.wallOf(this.#inFlight?.untilMs ?? this.#dueMs);
  }

  #follow(blocks: readonly VerifiedSealedBlock[], request: number | undefined): FollowerEffect[] {
    const before = this.#head.header.height;
    for (const block of blocks) this.#buffer.add(block, before + 1);
    const committed: CommittedBlock[] = [];
    for (let next = this.#takeNext(); next !== undefined; next = this.#takeNext()) {
      const changes = executeSealed(this.#machine, next, this.#validators);
      this.#head = { id: next.block.id, header: next.block.header };
      committed.push({ block: next.block, sealed: sealedOnly(next), changes });
    }
    const isAnswer = request !== undefined && this.#requestEnded(request);
    this.#pollAtMs = this.#clock.elapsedMs + this.#pollMs;
    if (committed.length === 0) return [];
    // Whoever answered may have had more than fits into one answer.
    if (isAnswer) this.#pollAtMs = this.#retryAtMs = this.#clock.elapsedMs;
    return [{ kind: 'commit', blocks: committed, forgotten: [] }];
  }

  /** A server that has no later block says that this is the head; one that does not answer says nothing: others are asked soon. */
  #failed(request: number, { code }: Refusal): void {
    if (!this.#requestEnded(request) || code === 'fetch-unserved') return;
    this.#pollAtMs = Math.min(this.#pollAtMs, this.#retryAtMs);
  }

  /** @returns whether it was the request in flight */
  #requestEnded(request: number): boolean {
    if (this.#inFlight?.request !== request) return false;
    this.#inFlight = null;
    this.#retryAtMs = this.#clock.elapsedMs + this.#retryMs;
    return true;
  }

  #takeNext(): VerifiedSealedBlock | undefined {
    return this.#stopWhereUnknown() ? undefined : this.#buffer.take(this.#head.header.height + 1);
  }

  #stopWhereUnknown(): boolean {
    const known = this.#machine.understands(this.#machine.head, this.#head.header.height + 1);
    if (!known.ok) this.#stopped = known.refusal;
    return !known.ok;
  }

  /** When the next height is asked for: soon where a gap is known, else from time to time. */
  get #dueMs(): number {
    return this.#buffer.highest === undefined ? this.#pollAtMs : this.#retryAtMs;
  }

  /** One request in flight. */
  #ask(): FollowerEffect[] {
    const now = this.#clock.elapsedMs;
    if (this.#inFlight !== null && now < this.#inFlight.untilMs) return [];
    this.#inFlight = null;
    if (now < this.#dueMs) return [];
    const request = ++this.#requests;
    this.#inFlight = { request, untilMs: now + this.#fetchTimeoutMs };
    this.#pollAtMs = now + this.#pollMs;
    const first: ValidatorIndex = request % this.#validators.n;
    const what = { kind: 'sealed', fromHeight: this.#head.header.height + 1 } as const;
    return [{ kind: 'fetch', request, what, from: [first] }];
  }
}

/** A quorum vouches for the result: a difference is a bug here or a broken quorum, and nothing to go on from. */
export function executeSealed(
  machine: LedgerMachine,
  { block, events }: VerifiedSealedBlock,
  validators: ValidatorSet,
): readonly StateChange[] {
  const { chainId, epoch, height, timestamp, stateRoot } = block.header;
  const executed = machine.execute(machine.head, { chainId, epoch, height, timestamp, validators }, events);
  assert(executed.ok, 'a sealed block executes', {
    height,
    ...(executed.ok ? {} : { because: executed.refusal.code }),
  });
  assert(executed.value.stateRoot === stateRoot, 'a sealed block gives the root that its seal covers', {
    height,
    stateRoot,
    computed: executed.value.stateRoot,
  });
  return machine.commit(executed.value);
}

function sealedOnly({ block, seal }: VerifiedSealedBlock): SealedBlock {
  return { block, seal };
}
