/**
 * The ledger that a Raft log drives from BASE on: each command entry makes one block, the same on every replica, whatever
 * its bytes. What of it does not apply is left out, and its refusal is the outcome for whoever proposed it.
 *
 * A block's time is the greater of its parent's and its command's, and its parent's where no event applies: never that of
 * the entry's envelope, which members of older versions drop.
 */
import { assert } from '../base/assert.ts';
import { sha256Hex, type Hash } from '../base/hash.ts';
import { refuse, type Refusal, type Result } from '../base/result.ts';
import type { ValidatorSet } from '../qc/validator-set.ts';
import { makeBlock, type Block, type SealedBlock } from './block.ts';
import type { EventDecoder, SignedEvent } from './event.ts';
import { legacyChange } from './legacy-state.ts';
import { nextControls, nextLogHash, NO_CONTROLS, type LogPosition } from './log-hash.ts';
import type { Execution, LedgerMachine } from './machine.ts';
import { decodeCommand, MAX_LEGACY_COMMAND_BYTES, type RaftCommand } from './raft-command.ts';
import { encodeRaftSeal, RAFT_EPOCH } from './raft-seal.ts';
import type { CommittedChange, StateChange } from './state.ts';
import type { VerifiedEvent } from './verified-event.ts';

export interface RaftChainOptions {
  /** At the head. */
  readonly machine: LedgerMachine;
  readonly head: Block;
  /** Of the control records since the head's entry. */
  readonly controls: Hash;
  /** Of the genesis: whose approvals decide. */
  readonly validators: ValidatorSet;
  readonly decodeEvent: EventDecoder;
  /** Of events in a committed command: the leader checked their signatures, and its word is what this mode rests on. */
  readonly trusted: (event: SignedEvent) => VerifiedEvent;
}

export interface AppliedCommand {
  readonly sealed: SealedBlock;
  readonly changes: readonly CommittedChange[];
  /** One an event of the command. */
  readonly events: readonly EventOutcome[];
  /** Why the command as a whole changed nothing, or null. */
  readonly refusal: Refusal | null;
}

export interface EventOutcome {
  /** Null of bytes that are no event. */
  readonly id: Hash | null;
  /** Null: it is in the block. */
  readonly refusal: Refusal | null;
}

export class RaftChain {
  readonly machine: LedgerMachine;
  readonly #validators: ValidatorSet;
  readonly #decodeEvent: EventDecoder;
  readonly #trusted: RaftChainOptions['trusted'];
  #head: Block;
  #controls: Hash;

  constructor({ controls, decodeEvent, head, machine, trusted, validators }: RaftChainOptions) {
    const { height, stateRoot } = head.header;
    assert(machine.head.height === height, 'the machine is at the head', { height, machine: machine.head.height });
    assert(machine.head.stateRoot === stateRoot, 'the machine holds the state of the head', { height });
    this.machine = machine;
    this.#validators = validators;
    this.#decodeEvent = decodeEvent;
    this.#trusted = trusted;
    this.#head = head;
    this.#controls = controls;
  }

  /** The last block. */
  get head(): Block {
    return this.#head;
  }

  get logHash(): Hash {
    return this.#head.header.justifyDigest;
  }

  get controls(): Hash {
    return this.#controls;
  }

  /** A no-op with data, whatever it says: it is in the log hash of the next block. */
  applyControl(position: LogPosition, data: Uint8Array): void {
    this.#checkOrder(position);
    this.#controls = nextControls({ ...position, controls: this.#controls, data: sha256Hex(data) });
  }

  /** @param data of a command entry */
  applyCommand(position: LogPosition, data: Uint8Array | null): AppliedCommand {
    this.#checkOrder(position);
    const command = boundedCommand(data);
    if (!command.ok) return this.#commit(position, data, NOTHING, command.refusal);
    const { value } = command;
    if (value.kind === 'legacy') {
      return this.#commit(position, data, { ...NOTHING, besides: [legacyChange(value.command)] }, null);
    }
    const decoded = value.events.map((bytes) => this.#decodeEvent(this.machine.chainId, bytes));
    return this.#commit(position, data, { timeSeconds: value.timeSeconds, decoded, besides: [] }, null);
  }

  #commit(
    { index, term }: LogPosition,
    data: Uint8Array | null,
    { besides, decoded, timeSeconds }: Content,
    refusal: Refusal | null,
  ): AppliedCommand {
    const { chainId } = this.machine;
    const { header: parent, id: parentId } = this.#head;
    const candidates = decoded.flatMap((event) => (event.ok ? [this.#trusted(event.value)] : []));
    const { execution, refusals } = this.#execute(candidates, besides, Math.max(parent.timestamp, timeSeconds));
    const { stateRoot, timestamp } = execution;
    const digest = sha256Hex(data ?? NO_DATA);
    const controls = this.#controls;
    const block = makeBlock(
      {
        chainId,
        epoch: RAFT_EPOCH,
        round: index,
        height: parent.height + 1,
        parentId,
        justifyDigest: nextLogHash({ previous: this.logHash, controls, index, term, data: digest }),
        proposer: '',
        timestamp,
        stateRoot,
        nextValidatorSet: null,
      },
      candidates.filter((_, place) => refusals[place] === null),
    );
    const seal = encodeRaftSeal({ index, term, controls, data: digest, carried: besides.length > 0 ? data : null });
    const changes = this.machine.commit(execution);
    this.#head = block;
    this.#controls = NO_CONTROLS;
    return { sealed: { block, seal }, changes, events: outcomesOf(decoded, refusals), refusal };
  }

  /**
   * Where nothing applies, time stays where it was: a leader with a wrong clock moves it only with an event that agrees.
   */
  #execute(
    candidates: readonly VerifiedEvent[],
    besides: readonly StateChange[],
    timestamp: number,
  ): { readonly execution: Execution; readonly refusals: readonly (Refusal | null)[] } {
    const { machine } = this;
    const { height, timestamp: before } = machine.head;
    const context = { chainId: machine.chainId, epoch: RAFT_EPOCH, height: height + 1, validators: this.#validators };
    const executed = machine.executeApplicable(machine.head, { ...context, timestamp }, candidates, besides);
    if (timestamp === before || executed.refusals.includes(null)) return executed;
    machine.discard(executed.execution);
    const { execution } = machine.executeApplicable(machine.head, { ...context, timestamp: before }, [], besides);
    return { execution, refusals: executed.refusals };
  }

  #checkOrder({ index }: LogPosition): void {
    const last = this.#head.header.round;
    assert(index > last, 'entries are applied in the order of the log', { index, last });
  }
}

interface Content {
  readonly timeSeconds: number;
  readonly decoded: readonly Result<SignedEvent>[];
  readonly besides: readonly StateChange[];
}

const NOTHING: Content = { timeSeconds: 0, decoded: [], besides: [] };
const NO_DATA = new Uint8Array(0);

function boundedCommand(data: Uint8Array | null): Result<RaftCommand> {
  const command = decodeCommand(data);
  if (!command.ok || command.value.kind !== 'legacy' || (data?.length ?? 0) <= MAX_LEGACY_COMMAND_BYTES) return command;
  return refuse(
    'legacy-command-too-large',
    'from BASE on, a command of the older system is as large as a seal may hold',
    {
      bytes: data?.length ?? 0,
      maxBytes: MAX_LEGACY_COMMAND_BYTES,
    },
  );
}

function outcomesOf(
  decoded: readonly Result<SignedEvent>[],
  refusals: readonly (Refusal | null)[],
): readonly EventOutcome[] {
  let place = 0;
  return decoded.map((event) =>
    event.ok ? { id: event.value.id, refusal: refusals[place++] ?? null } : { id: null, refusal: event.refusal },
  );
}
