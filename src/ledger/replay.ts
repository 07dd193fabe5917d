/**
 * Replay: the chain again from genesis, block by block, as if it had never been executed. It ends at the same state
 * root, or says at which block it does not.
 */
import { assert } from '../base/assert.ts';
import type { Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import type { ValidatorSet } from '../qc/validator-set.ts';
import type { Block, SealedBlock } from './block.ts';
import { checkAgainstParent, checkStateRoot, type ParentBlock } from './block-rules.ts';
import type { SignedEvent } from './event.ts';
import type { ProvenValue } from './committed-state.ts';
import { machineAtGenesis, type GenesisState } from './genesis-state.ts';
import type { LedgerMachine } from './machine.ts';
import { checkRaftSeal, decodeRaftSeal } from './raft-seal.ts';
import type { StateChange, StateReader } from './state.ts';
import { verifiedEvent } from './verified-event.ts';

export interface ReplayOptions {
  /** The first block and the whole state at it. Its seal says of which engine the blocks behind it are. */
  readonly genesis: GenesisState;
  /** Left out: begins at the first block, with the state in memory. */
  readonly from?: ReplayPoint;
  /** Of the block's epoch. */
  readonly validatorsOf: (epoch: number) => ValidatorSet;
  /** Checks a block's seal; left out: the log is trusted in that, as after a start. */
  readonly verifySeal?: (sealed: SealedBlock) => Result<void>;
  /** Checks an event's signature; left out: it was checked before a quorum voted for it. */
  readonly verifyEvent?: (event: SignedEvent) => Result<void>;
}

/** A block that was executed before, and the state after it, which the caller keeps. */
export interface ReplayPoint {
  readonly block: Block;
  /** At the block. */
  readonly machine: LedgerMachine;
  /** What a block changed: the machine is told `settled` once its backing holds it. */
  readonly keep: (changes: readonly StateChange[], height: number) => void;
}

/** What a block did, for projections. */
export interface ReplayedBlock {
  readonly block: Block;
  readonly changes: readonly StateChange[];
}

export class Replay {
  readonly #options: ReplayOptions;
  readonly #state: MapState | null;
  readonly #machine: LedgerMachine;
  readonly #keep: ReplayPoint['keep'];
  #parent: ParentBlock;
  /** Of a Raft epoch's last block: its log hash. */
  #justifyDigest: Hash;

  constructor(options: ReplayOptions) {
    const { from, genesis } = options;
    this.#options = options;
    const state = from === undefined ? new MapState(genesis.changes) : null;
    const machine = from?.machine ?? machineAtGenesis(genesis, state as MapState);
    const { block } = from ?? genesis;
    this.#state = state;
    this.#machine = machine;
    this.#keep =
      from?.keep ??
      ((changes, height) => {
        state?.apply(changes);
        machine.settled(height);
      });
    this.#parent = parentOf(block);
    this.#justifyDigest = block.header.justifyDigest;
  }

  /** The genesis block did this. */
  get first(): ReplayedBlock {
    const { block, changes } = this.#options.genesis;
    return { block, changes };
  }

  /** The last block that was executed. */
  get head(): ParentBlock {
    return this.#parent;
  }

  /** After the last block that was executed; of a replay that keeps it in memory. */
  get state(): StateReader & { readonly entries: ReadonlyMap<string, Uint8Array> } {
    assert(this.#state !== null, 'the state is in memory');
    return this.#state;
  }

  /** Whether the state at this height can be proven, perhaps after some more blocks. */
  holds(height: number): boolean {
    return height >= this.#machine.oldestHeldHeight;
  }

  /** A value after one of the last 64 blocks that were executed, with its proof. Refusal: `height-not-held`. */
  proveAt(height: number, key: string): Result<ProvenValue> {
    return this.#machine.proveAt(height, key);
  }

  /**
   * Executes the next block. After a refusal the replay stands where it stood.
   *
   * Refusals: those of `checkAgainstParent`, `LedgerMachine.execute`, `checkStateRoot`, of the callbacks,
   * `seal-kind-unknown`, in a Raft epoch those of `checkRaftSeal`, and `event-signature-invalid` with the block's height
   * and the event.
   */
  step(sealed: SealedBlock): Result<ReplayedBlock> {
    const { block } = sealed;
    const { header } = block;
    const position = checkAgainstParent(header, this.#parent);
    if (!position.ok) return position;
    const besides = this.#checkSeal(sealed);
    if (!besides.ok) return besides;
    const signatures = this.#checkSignatures(block);
    if (!signatures.ok) return signatures;
    const { chainId, epoch, height, timestamp } = header;
    const validators = this.#options.validatorsOf(epoch);
    const events = block.events.map((event) => verifiedEvent(event, 'own-log'));
    const executed = this.#machine.execute(
      this.#machine.head,
      { chainId, epoch, height, timestamp, validators },
      events,
      besides.value,
    );
    if (!executed.ok) return executed;
    const root = checkStateRoot(header, executed.value);
    if (!root.ok) {
      this.#machine.discard(executed.value);
      return root;
    }
    const changes = this.#machine.commit(executed.value);
    this.#keep(changes, height);
    this.#parent = parentOf(block);
    this.#justifyDigest = header.justifyDigest;
    return ok({ block, changes });
  }

  /** @returns what the block changes besides its events */
  #checkSeal(sealed: SealedBlock): Result<readonly StateChange[]> {
    const { block, seal } = sealed;
    const isRaft = this.#options.genesis.sealed.seal.kind === 'raft';
    if (isRaft !== (seal.kind === 'raft')) {
      const { height } = block.header;
      return refuse('seal-kind-unknown', 'the seal is not of an engine of this chain', { kind: seal.kind, height });
    }
    const checked = this.#options.verifySeal?.(sealed) ?? ok(undefined);
    if (!checked.ok) return checked;
    if (!isRaft) return ok([]);
    const decoded = decodeRaftSeal(seal.bytes);
    return decoded.ok ? checkRaftSeal(block.header, decoded.value, this.#justifyDigest) : decoded;
  }

  #checkSignatures({ events, header }: Block): Result<void> {
    const { verifyEvent } = this.#options;
    if (verifyEvent === undefined) return ok(undefined);
    for (const event of events) {
      const checked = verifyEvent(event);
      if (checked.ok) continue;
      return refuse('event-signature-invalid', 'the log holds an event whose signature is not valid', {
        height: header.height,
        event: event.id,
        because: checked.refusal.code,
      });
    }
    return ok(undefined);
  }
}

function parentOf({ id, header }: Block): ParentBlock {
  const { epoch, height, round, timestamp } = header;
  return { id, epoch, round, height, timestamp };
}

/** The whole state in memory: replay owes nothing to what is on disk. */
class MapState implements StateReader {
  readonly entries = new Map<string, Uint8Array>();

  constructor(changes: readonly StateChange[]) {
    this.apply(changes);
  }

  get(key: string): Uint8Array | undefined {
    return this.entries.get(key);
  }

  apply(changes: readonly StateChange[]): void {
    for (const { key, value } of changes) {
      if (value === undefined) this.entries.delete(key);
      else this.entries.set(key, value);
    }
  }
}
