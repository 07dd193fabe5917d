/**
 * The ledger as the state machine of a Raft log. Before BASE it holds what the older system's state machines hold, and
 * nothing else; from BASE on each command makes a block (`ledger/raft-chain.ts`). What it is follows from the entries alone.
 */
import { assert } from '../../base/assert.ts';
import type { Hash } from '../../base/hash.ts';
import { CodedError, codedError, refuse, type Refusal } from '../../base/result.ts';
import type { CommittedBlock } from '../../consensus/engine.ts';
import {
  BlockLog,
  committedBlockOps,
  floorOps,
  headBlockOps,
  stateOps,
  type LogIdentity,
} from '../../ledger/block-log.ts';
import type { SealedBlock } from '../../ledger/block.ts';
import { decodeControlRecord, type BaseRecord } from '../../ledger/control-record.ts';
import { decodeSignedEvent, type EventDecoder } from '../../ledger/event.ts';
import { chainIdOf, type Genesis } from '../../ledger/genesis.ts';
import { headOf } from '../../ledger/genesis-state.ts';
import { stateKey } from '../../ledger/layout.ts';
import type { LegacyCommand } from '../../ledger/legacy-command.ts';
import { legacyKeyOf, type LegacyState } from '../../ledger/legacy-state.ts';
import { NO_CONTROLS, type LogPosition } from '../../ledger/log-hash.ts';
import { LedgerMachine, type LedgerMachineOptions } from '../../ledger/machine.ts';
import { firstBlockAtBase } from '../../ledger/raft-base.ts';
import { RaftChain } from '../../ledger/raft-chain.ts';
import { decodeCommand } from '../../ledger/raft-command.ts';
import type { StateReader } from '../../ledger/state.ts';
import { verifiedEvent } from '../../ledger/verified-event.ts';
import type { ValidatorSet } from '../../qc/validator-set.ts';
import { ENTRY_TYPES, type Entry } from '../../raft/messages.ts';
import type { Store, StoreOperation } from '../../store/store.ts';
import { blocksOf, type LedgerOutcome } from './ledger-outcome.ts';
import { legacyValueOps, loadLegacy, openStanding, standingOps, type Standing } from './ledger-store.ts';
import { judgeSnapshot, replaceLedger } from './snapshot-restoring.ts';
import { ledgerSnapshot, mapSnapshot } from './snapshot-writing.ts';
import type { Application, StateMachine } from './state-machine.ts';

export interface RaftLedgerOptions {
  readonly store: Store;
  /** That the operators gave to all members. */
  readonly genesis: Genesis;
  /** Of the genesis. */
  readonly validators: ValidatorSet;
  readonly validatorKey: LogIdentity['validatorKey'];
  /** A memory of events that were decoded to be checked, as a leader has one; left out: each is decoded. */
  readonly decodeEvent?: EventDecoder;
  readonly outlets: LedgerOutlets;
  /** The newest event schema that the program knows; left out: that of this program. */
  readonly newestSchema?: number;
}

/** What the ledger tells the rest of the node. */
export interface LedgerOutlets {
  /** Committed, and in the store, in height order; the first that is ever told is that of BASE. Returns at once. */
  readonly committed: (blocks: readonly CommittedBlock[]) => void;
  /** All that was read from the ledger, or is kept of it, is about to go: nothing is written to the store any more. */
  readonly replacing: () => Promise<void>;
  /** The ledger is that of the snapshot now. */
  readonly replaced: (ledger: ChainLedger | null) => Promise<void>;
}

/** The ledger from BASE on. */
export interface ChainLedger {
  readonly store: Store;
  readonly log: BlockLog;
  readonly machine: LedgerMachine;
  readonly base: LogPosition;
  /** Of the first block in the log: 0, or that of the snapshot that it began with. */
  readonly firstHeight: number;
}

interface MapPhase {
  readonly kind: 'map';
  readonly legacy: LegacyState;
  /** Of the entries that are being applied. */
  waiting: LegacyCommand[];
}

interface ChainPhase extends ChainLedger {
  readonly kind: 'chain';
  readonly chain: RaftChain;
  sealed: SealedBlock;
  /** Its log can be read. */
  isStored: boolean;
}

type Phase = MapPhase | ChainPhase | { readonly kind: 'restoring' };

export class RaftLedger implements StateMachine<LedgerOutcome> {
  readonly #options: RaftLedgerOptions;
  readonly #identity: LogIdentity;
  #phase: Phase;
  /** Null where it is not known: behind a snapshot that did not say. */
  #lastIndex: number | null;

  private constructor(options: RaftLedgerOptions, identity: LogIdentity) {
    this.#options = options;
    this.#identity = identity;
    this.#phase = { kind: 'restoring' };
    this.#lastIndex = null;
  }

  /**
   * @throws CodedError those of `openStanding`, `loadLegacy`, `BlockLog.open` and `BlockLog.loadMachine`
   */
  static async open(options: RaftLedgerOptions): Promise<RaftLedger> {
    const { genesis, store, validatorKey } = options;
    const ledger = new RaftLedger(options, { chainId: chainIdOf(genesis), validatorKey });
    await ledger.#takeUp(await openStanding(store, ledger.#identity));
    return ledger;
  }

  get chainId(): string {
    return this.#identity.chainId;
  }

  /** Null until BASE is in the store, and while a snapshot takes its place. */
  get ledger(): ChainLedger | null {
    return this.#phase.kind === 'chain' && this.#phase.isStored ? this.#phase : null;
  }

  /** Null until BASE is applied, and while a snapshot takes the ledger's place. */
  get base(): LogPosition | null {
    return this.#phase.kind === 'chain' ? this.#phase.base : null;
  }

  /** A snapshot was being restored when the process ended: nothing is applied before it is. */
  get isRestoring(): boolean {
    return this.#phase.kind === 'restoring';
  }

  /** To compare members by: of the whole state, at an index where both are. Null while a snapshot is restored. */
  get stateRoot(): Hash | null {
    if (this.#phase.kind === 'restoring') return null;
    return this.#phase.kind === 'map' ? this.#phase.legacy.root : this.#phase.machine.head.stateRoot;
  }

  /**
   * @throws CodedError `chain-mismatch`, `control-record-unknown`, `schema-not-known`: this member cannot go on as it is, and
   *   must stop, before the entry
   */
  apply(entries: readonly Entry[]): Application<LedgerOutcome> {
    if (entries.length === 0) return { operations: [], outcomes: [] };
    const operations: StoreOperation[] = [];
    const outcomes = entries.map((entry) => {
      const last = this.#lastIndex;
      const { index } = entry;
      assert(last === null || index === last + 1, 'entries are applied one after another', { index, last });
      this.#lastIndex = index;
      return this.#applyEntry(entry, operations);
    });
    if (this.#phase.kind === 'map') operations.push(...enterWaiting(this.#phase));
    operations.push(...standingOps(this.#standing()));
    return { operations, outcomes };
  }

  written({ outcomes }: Application<LedgerOutcome>): void {
    const blocks = blocksOf(outcomes);
    const last = blocks.at(-1);
    if (last === undefined) return;
    assert(this.#phase.kind === 'chain', 'a block that was written is of the chain', { kind: this.#phase.kind });
    this.#phase.isStored = true;
    this.#phase.machine.settled(last.block.header.height);
    this.#options.outlets.committed(blocks);
  }

  async snapshot(): Promise<AsyncIterable<Uint8Array>> {
    const phase = this.#phase;
    assert(phase.kind !== 'restoring', 'a snapshot is made of a whole state');
    if (phase.kind === 'map') return mapSnapshot(phase.legacy);
    const { base, chain, machine, sealed, store } = phase;
    const { chainId } = this;
    return ledgerSnapshot({ store, chainId, base, sealed, controls: chain.controls, unsettled: machine.unsettled() });
  }

  /** @throws CodedError the snapshot does not hold, or is of before BASE (`snapshot-before-base`); nothing was changed then */
  async *restore(snapshot: AsyncIterable<Uint8Array>): AsyncIterable<readonly StoreOperation[]> {
    const { outlets, store } = this.#options;
    const restored = await judgeSnapshot(snapshot, this.chainId);
    if (restored.kind === 'map' && this.#phase.kind === 'chain') throw beforeOwnBase(this.#phase);
    await outlets.replacing();
    this.#phase = { kind: 'restoring' };
    this.#lastIndex = null;
    yield* replaceLedger(restored, snapshot, store);
    if (restored.kind === 'map') {
      this.#phase = { kind: 'map', legacy: restored.legacy, waiting: [] };
    } else {
      const { head, sealed, tree, version } = restored;
      const machine = this.#machineAt(sealed, { tree, version });
      const firstHeight = sealed.block.header.height;
      this.#phase = this.#chainPhase(machine, sealed, { ...head, firstHeight, isStored: true });
    }
    await outlets.replaced(this.ledger);
  }

  async #takeUp(standing: Standing): Promise<void> {
    const { store } = this.#options;
    if (standing.kind === 'restoring') return;
    if (standing.kind === 'map') {
      this.#phase = { kind: 'map', legacy: await loadLegacy(store, standing.root), waiting: [] };
    } else {
      const log = await BlockLog.open(store, this.#identity);
      const sealed = log.sealedBlockAt(log.head().height);
      assert(sealed !== undefined, 'the head of a log that was opened is in it');
      const firstHeight = log.floor();
      const machine = await log.loadMachine(this.#program);
      this.#phase = this.#chainPhase(machine, sealed, { ...standing, firstHeight, isStored: true });
    }
    this.#lastIndex = standing.lastIndex;
  }

  get #program(): Pick<LedgerMachineOptions, 'newestSchema'> {
    const { newestSchema } = this.#options;
    return newestSchema === undefined ? {} : { newestSchema };
  }

  #machineAt(
    { block }: SealedBlock,
    state: Pick<LedgerMachineOptions, 'tree' | 'version' | 'unsettled'>,
  ): LedgerMachine {
    const { store } = this.#options;
    const backing: StateReader = { get: (key) => store.get(stateKey(key)) };
    return new LedgerMachine({ chainId: this.chainId, head: headOf(block), backing, ...state, ...this.#program });
  }

  #chainPhase(
    machine: LedgerMachine,
    sealed: SealedBlock,
    {
      base,
      controls,
      firstHeight,
      isStored,
    }: Pick<Extract<Standing, { kind: 'chain' }>, 'base' | 'controls'> & Pick<ChainPhase, 'firstHeight' | 'isStored'>,
  ): ChainPhase {
    const { decodeEvent = decodeSignedEvent, store, validators } = this.#options;
    const chain = new RaftChain({
      machine,
      head: sealed.block,
      controls,
      validators,
      decodeEvent,
      trusted: (event) => verifiedEvent(event, 'own-log'),
    });
    const log = BlockLog.over(store, this.#identity);
    return { kind: 'chain', store, log, machine, base, firstHeight, chain, sealed, isStored };
  }

  #applyEntry({ data, index, term, type }: Entry, operations: StoreOperation[]): LedgerOutcome {
    const phase = this.#phase;
    assert(phase.kind !== 'restoring', 'entries are applied to a whole state', { index });
    if (type === ENTRY_TYPES.command) {
      if (phase.kind === 'map') return valueOutcome(phase, data);
      checkUnderstood(phase);
      return blockOutcome(phase, { index, term }, data, operations);
    }
    if (type !== ENTRY_TYPES.noop || data === null || data.length === 0) return { kind: 'nothing' };
    const control = decodeControlRecord(data);
    if (!control.ok && control.refusal.code === 'control-record-unknown') throw new CodedError(control.refusal);
    if (phase.kind === 'map' && control.ok && control.value !== null) {
      return this.#base(phase, control.value, { index, term }, data, operations);
    }
    if (phase.kind === 'chain') phase.chain.applyControl({ index, term }, data);
    return { kind: 'nothing' };
  }

  #base(
    phase: MapPhase,
    record: BaseRecord,
    position: LogPosition,
    data: Uint8Array,
    operations: StoreOperation[],
  ): LedgerOutcome {
    const { genesis } = this.#options;
    if (record.chainId !== this.chainId) {
      throw codedError(
        'chain-mismatch',
        'the cluster began a chain of another genesis than the one given to this node',
        {
          chainId: record.chainId,
          expected: this.chainId,
        },
      );
    }
    operations.push(...enterWaiting(phase));
    const { legacy } = phase;
    const { changes, imported, sealed, version } = firstBlockAtBase({ genesis, legacy, record, position, data });
    // The older system's values stay where they are too, as they were at BASE: a replay begins with them.
    const own = changes.filter(({ key }) => legacyKeyOf(key) === undefined);
    operations.push(...floorOps(0), ...headBlockOps(sealed, own), ...stateOps(changes));
    const machine = this.#machineAt(sealed, { tree: legacy.tree, version, unsettled: changes });
    const beginning = { base: position, controls: NO_CONTROLS, firstHeight: 0, isStored: false };
    this.#phase = this.#chainPhase(machine, sealed, beginning);
    return { kind: 'base', committed: { block: sealed.block, sealed, changes: own }, imported };
  }

  #standing(): Standing {
    const phase = this.#phase;
    const lastIndex = this.#lastIndex;
    assert(phase.kind !== 'restoring', 'a whole state stands somewhere');
    if (phase.kind === 'map') return { kind: 'map', root: phase.legacy.root, lastIndex };
    const { base, chain } = phase;
    return { kind: 'chain', base, controls: chain.controls, lastIndex };
  }
}

function valueOutcome(phase: MapPhase, data: Uint8Array | null): LedgerOutcome {
  const command = decodeCommand(data);
  if (!command.ok) return { kind: 'value', refusal: command.refusal };
  if (command.value.kind === 'events') return { kind: 'value', refusal: beforeBase() };
  phase.waiting.push(command.value.command);
  return { kind: 'value', refusal: null };
}

/** A node of the older system does not know what this is, so it changes nothing here either. */
function beforeBase(): Refusal {
  return refuse('before-base', 'the cluster has members of the older system, whose commands alone count until BASE')
    .refusal;
}

/** A server of the older system that leads does not know the blocks: all that was acknowledged since BASE would be gone. */
function beforeOwnBase({ base, machine }: ChainPhase): CodedError {
  return codedError(
    'snapshot-before-base',
    'the snapshot holds nothing but values of the older system, while the ledger has begun here',
    { base: base.index, height: machine.head.height },
  );
}

/** All that the entries before say to the older system's state. */
function enterWaiting(phase: MapPhase): readonly StoreOperation[] {
  const commands = phase.waiting;
  phase.waiting = [];
  return legacyValueOps(phase.legacy.apply(commands));
}

/** What another program makes of the entry is not guessed: the log keeps it for the program that knows. */
function checkUnderstood({ machine }: ChainPhase): void {
  const known = machine.understands(machine.head, machine.head.height + 1);
  if (!known.ok) throw new CodedError(known.refusal);
}

function blockOutcome(
  phase: ChainPhase,
  position: LogPosition,
  data: Uint8Array | null,
  operations: StoreOperation[],
): LedgerOutcome {
  const { changes, events, refusal, sealed } = phase.chain.applyCommand(position, data);
  phase.sealed = sealed;
  operations.push(...committedBlockOps(sealed, changes));
  return { kind: 'block', committed: { block: sealed.block, sealed, changes }, events, refusal };
}
