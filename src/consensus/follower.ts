/**
 * The engine of a peer that does not vote: it executes sealed blocks in the order of their heights.
 *
 * Blocks come by gossip and by synchronisation; a seal needs nothing but the validator set to be verified, so whoever
 * served a block does not matter. What is missing below a block that is known to be sealed is fetched, and now and then
 * the next height is asked for, since the last block of a busy hour may have been lost on its way.
 */
import { assert } from '../base/assert.ts';
import type { Hash } from '../base/hash.ts';
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
  /** How long one server may take. */
  readonly fetchTimeoutMs: number;
}

type FollowerEffect = Effect<never, never>;

export class Follower implements Engine<never, never, never> {
  readonly #machine: LedgerMachine;
  readonly #validators: ValidatorSet;
  readonly #pollMs: number;
  readonly #fetchTimeoutMs: number;
  readonly #clock = new ForwardClock();
  readonly #buffer = new SealedBuffer();
  #head: FollowerOptions['head'];
  #requests = 0;
  /** Null while nothing is asked for. */
  #inFlight: { readonly request: number; readonly untilMs: number } | null = null;
  #pollAtMs: number;

  constructor({ machine, validators, head, pollMs, fetchTimeoutMs }: FollowerOptions) {
    assert(machine.head.stateRoot === head.header.stateRoot, 'the machine is at the state of the head', {
      height: head.header.height,
    });
    this.#machine = machine;
    this.#validators = validators;
    this.#pollMs = pollMs;
    this.#fetchTimeoutMs = fetchTimeoutMs;
    this.#head = head;
    this.#pollAtMs = 0;
  }

  step(input: Input<never, never>, nowMs: number): readonly FollowerEffect[] {
    this.#clock.observe(nowMs);
    const effects: FollowerEffect[] = [];
    if (input.kind === 'sealed') effects.push(...this.#follow(input.blocks));
    if (input.kind === 'fetchFailed' && input.request === this.#inFlight?.request) this.#inFlight = null;
    effects.push(...this.#ask());
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
      idle: this.#buffer.highest === undefined,
      leader: null,
      silentBecause: 'a follower does not vote',
    };
  }

  wakeAtMs(): number | undefined {
    return this.#clock.wallOf(this.#inFlight?.untilMs ?? this.#pollAtMs);
  }

  #follow(blocks: readonly VerifiedSealedBlock[]): FollowerEffect[] {
    const before = this.#head.header.height;
    for (const block of blocks) this.#buffer.add(block, before + 1);
    const committed: CommittedBlock[] = [];
    for (let next = this.#takeNext(); next !== undefined; next = this.#takeNext()) {
      const changes = executeSealed(this.#machine, next, this.#validators);
      this.#head = { id: next.block.id, header: next.block.header };
      committed.push({ block: next.block, sealed: sealedOnly(next), changes });
    }
    this.#inFlight = null;
    this.#pollAtMs = this.#clock.elapsedMs + this.#pollMs;
    return committed.length === 0 ? [] : [{ kind: 'commit', blocks: committed, forgotten: [] }];
  }

  #takeNext(): VerifiedSealedBlock | undefined {
    return this.#buffer.take(this.#head.header.height + 1);
  }

  /** One request in flight; at once where a gap is known, else from time to time. */
  #ask(): FollowerEffect[] {
    const now = this.#clock.elapsedMs;
    if (this.#inFlight !== null && now < this.#inFlight.untilMs) return [];
    const isBehind = this.#buffer.highest !== undefined;
    if (!isBehind && now < this.#pollAtMs) return [];
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
