/**
 * The replicated state machine that every engine drives: events in, state roots out.
 *
 * Blocks execute speculatively, each on its parent's result, as a tree of executions whose root is the state of the
 * last committed block. Committing a child moves the root and lets its siblings go.
 *
 *     head --+-- a -- b      commit(a): head is a; c and d are discarded
 *            +-- c -- d
 */
import { assert } from '../base/assert.ts';
import type { Hash } from '../base/hash.ts';
import { ok, refuse, type Refusal, type Result } from '../base/result.ts';
import { EVENT_OVERHEAD_BYTES } from './block.ts';
import { checkSuccession } from './block-rules.ts';
import { CommittedState, type CommittedStateOptions, type ProvenValue } from './committed-state.ts';
import { checkSchemaKnown, scheduledFrom } from './event-schema-at.ts';
import { NEWEST_EVENT_SCHEMA } from './newest-schema.ts';
import type { StateTree, TreeVersion } from './state-tree.ts';
import { Overlay, type CommittedChange, type StateChange, type StateReader } from './state.ts';
import { applyEvent, type BlockContext, checkApplies, REFUSALS_OF_TIME, TRANSIENT_REFUSALS } from './transition.ts';
import type { VerifiedEvent } from './verified-event.ts';

/** A proposer adds events only to this depth above the committed head; a voter executes what others propose. */
export const MAX_UNCOMMITTED_BLOCKS = 32;

/** The last committed block. */
export interface Head {
  readonly height: number;
  readonly blockId: Hash;
  readonly stateRoot: Hash;
  /** Unix seconds. */
  readonly timestamp: number;
}

/** The state after a block, on top of its parent's. Give it back by `commit` or `discard`. */
export interface Execution extends StateReader {
  readonly height: number;
  readonly stateRoot: Hash;
  /** Block time, unix seconds. */
  readonly timestamp: number;
}

export interface Selection {
  /** The result of exactly `events`. */
  readonly execution: Execution;
  readonly events: readonly VerifiedEvent[];
  /** Refused by the committed state, whatever becomes of the uncommitted blocks: their submitters can be answered. */
  readonly refused: readonly RefusedEvent[];
  /** Not applicable on this parent, but perhaps later. */
  readonly waiting: readonly VerifiedEvent[];
  /**
   * One of those waits for nothing but that the chain goes on, which it does not where there is no block: it is too late for
   * this block, but not for the committed head of a chain that stood still, and only the chain's own time can refuse it for
   * ever; or its event schema begins a few heights above.
   */
  readonly waitsForChain: boolean;
}

export interface RefusedEvent {
  readonly event: VerifiedEvent;
  readonly refusal: Refusal;
}

export interface SelectionLimits {
  /** Of the encoded events: `MAX_BLOCK_BYTES - BLOCK_OVERHEAD_BYTES` at most. */
  readonly maxBytes: number;
  readonly maxEvents: number;
}

export interface LedgerMachineOptions extends Pick<CommittedStateOptions, 'recentValues' | 'heldHeights'> {
  readonly chainId: string;
  readonly head: Head;
  /** The durable state at `head`. Changes that it does not hold yet are kept here until `settled`. */
  readonly backing: StateReader;
  readonly tree: StateTree;
  /** The version of `tree` that is the state at `head`. */
  readonly version: TreeVersion;
  /** What of the state at `head` the backing does not hold until `settled`: all of it, for a block that is about to be written. */
  readonly unsettled?: readonly StateChange[];
  /** The newest event schema that the program knows; left out: that of this program. */
  readonly newestSchema?: number;
}

export class LedgerMachine {
  readonly chainId: string;
  readonly #tree: StateTree;
  readonly #committed: CommittedState;
  readonly #newestSchema: number;
  #head: Layer;
  /** Of the block after the head. */
  #nextKnown: { readonly height: number; readonly known: Result<void> } | null = null;

  constructor({ chainId, head, newestSchema, tree, version, ...options }: LedgerMachineOptions) {
    const { height, stateRoot, timestamp } = head;
    assert(version.root === stateRoot, 'the tree is the state of the head', { root: version.root, stateRoot });
    this.chainId = chainId;
    this.#tree = tree;
    this.#newestSchema = newestSchema ?? NEWEST_EVENT_SCHEMA;
    this.#committed = new CommittedState({ ...options, tree, version, height });
    this.#head = new Layer({ height, timestamp, version, parent: null, state: this.#committed, changes: [] });
  }

  /** The state after the last committed block. */
  get head(): Execution {
    return this.#head;
  }

  /** Executions with changes between the committed head and this one, itself included. */
  uncommittedDepth(execution: Execution): number {
    let depth = 0;
    for (let layer = this.#own(execution); layer.parent !== null; layer = layer.parent) {
      if (layer.changes.length > 0) depth++;
    }
    return depth;
  }

  /**
   * Executes a block that someone proposed: every event must apply, in order.
   *
   * Refusals: `wrong-height`, `timestamp-before-parent`, `schema-not-known`, `event-not-applicable` (with the event's place
   * and the code of its own refusal).
   *
   * @param besides what the block changes that no event says
   */
  execute(
    parent: Execution,
    context: BlockContext,
    events: readonly VerifiedEvent[],
    besides: readonly StateChange[] = [],
  ): Result<Execution> {
    const base = this.#own(parent);
    const succession = checkSuccession(context, base);
    if (!succession.ok) return succession;
    const known = this.understands(base, context.height);
    if (!known.ok) return known;
    const overlay = new Overlay(base);
    for (const { key, value } of besides) overlay.set(key, value);
    for (const [index, event] of events.entries()) {
      const applied = this.#apply(overlay, event, context);
      if (applied.ok) continue;
      return refuse('event-not-applicable', 'the block holds an event that does not apply', {
        index,
        event: event.id,
        peerId: event.event.peerId,
        because: applied.refusal.code,
      });
    }
    return ok(this.#layer(base, context, overlay));
  }

  /**
   * Executes what applies of events whose order is agreed on already: what does not is left out, by every replica alike.
   *
   * @param besides as of `execute`
   * @returns the refusals, one an event; null: it is in the block
   */
  executeApplicable(
    parent: Execution,
    context: BlockContext,
    events: readonly VerifiedEvent[],
    besides: readonly StateChange[] = [],
  ): { readonly execution: Execution; readonly refusals: readonly (Refusal | null)[] } {
    const base = this.#own(parent);
    const { height, timestamp } = context;
    assert(checkSuccession(context, base).ok, 'the block follows its parent', { height, timestamp });
    assert(this.understands(base, height).ok, 'the schema of a block that is executed is known', { height });
    const overlay = new Overlay(base);
    for (const { key, value } of besides) overlay.set(key, value);
    const refusals = events.map((event) => {
      const applied = this.#apply(overlay, event, context);
      return applied.ok ? null : applied.refusal;
    });
    return { execution: this.#layer(base, context, overlay), refusals };
  }

  /**
   * Fills a block: takes candidates in their order while they fit, leaves out those that do not apply. A node's later
   * events wait for its earlier ones. Only where the block is understood.
   */
  select(
    parent: Execution,
    context: BlockContext,
    candidates: Iterable<VerifiedEvent>,
    limits: SelectionLimits,
  ): Selection {
    const base = this.#own(parent);
    const { height } = context;
    assert(this.understands(base, height).ok, 'the schema of a block that is made is known', { height });
    const overlay = new Overlay(base);
    const events: VerifiedEvent[] = [];
    const refused: RefusedEvent[] = [];
    const waiting: VerifiedEvent[] = [];
    const waitingPeers = new Set<string>();
    const maxEvents = this.uncommittedDepth(base) < MAX_UNCOMMITTED_BLOCKS ? limits.maxEvents : 0;
    let bytes = 0;
    let waitsForChain = false;
    for (const event of candidates) {
      bytes += event.bytes.length + EVENT_OVERHEAD_BYTES;
      if (events.length >= maxEvents || bytes > limits.maxBytes) break;
      const { peerId } = event.event;
      const applied = waitingPeers.has(peerId) ? null : this.#apply(overlay, event, context);
      if (applied?.ok === true) {
        events.push(event);
        continue;
      }
      bytes -= event.bytes.length + EVENT_OVERHEAD_BYTES;
      const refusal = applied === null ? null : this.finalRefusal(event, context);
      if (refusal !== null) {
        refused.push({ event, refusal });
      } else {
        waiting.push(event);
        waitingPeers.add(peerId);
        waitsForChain ||= applied?.ok === false && isOfChain(applied.refusal);
      }
    }
    return { execution: this.#layer(base, context, overlay), events, refused, waiting, waitsForChain };
  }

  /**
   * Makes a child of the head the head, in memory and at once. Executions that do not descend from it are discarded.
   *
   * @returns what the block changed, for the commit batch and for projections
   */
  commit(execution: Execution): readonly CommittedChange[] {
    const next = this.#own(execution);
    assert(next.parent === this.#head, 'a committed block is a child of the committed head', {
      height: next.height,
      head: this.#head.height,
    });
    for (const sibling of [...this.#head.children]) if (sibling !== next) this.#discard(sibling);
    const changes = this.#committed.advance(next.changes, next.version);
    this.#head.status = 'superseded';
    next.becomeHead(this.#committed);
    this.#head = next;
    return changes;
  }

  /** Everything up to this height is durable in the backing. */
  settled(height: number): void {
    this.#committed.settled(height);
  }

  /** Gives up an execution and all that descend from it. Repeating it does nothing. */
  discard(execution: Execution): void {
    const layer = execution as Layer;
    if (layer.status === 'discarded') return;
    assert(layer !== this.#head, 'the committed head is never discarded', { height: layer.height });
    this.#discard(this.#own(layer));
  }

  /** A value of the committed state. */
  get(key: string): Uint8Array | undefined {
    return this.#committed.get(key);
  }

  /** Committed values that the backing perhaps does not hold yet; undefined: the key is gone. */
  unsettled(): ReadonlyMap<string, Uint8Array | undefined> {
    return this.#committed.unsettled();
  }

  /** The state as it is on disk. */
  get durable(): StateReader {
    return this.#committed.durable;
  }

  get oldestHeldHeight(): number {
    return this.#committed.oldestHeight;
  }

  /** A committed value of one of the last 64 heights. Refusal: `height-not-held`. */
  getAt(height: number, key: string): Result<Uint8Array | undefined> {
    return this.#committed.getAt(height, key);
  }

  /** A committed value with its proof, for one of the last 64 heights. Refusal: `height-not-held`. */
  proveAt(height: number, key: string): Result<ProvenValue> {
    return this.#committed.proveAt(height, key);
  }

  /** Whether this program can execute a block of this height on that parent. Refusal: `schema-not-known`. */
  understands(parent: StateReader, height: number): Result<void> {
    if (parent !== this.#head || height !== this.#head.height + 1) {
      return checkSchemaKnown(parent, height, this.#newestSchema);
    }
    // Asked in every step of an engine, and the same until the next commit.
    if (this.#nextKnown?.height !== height) {
      this.#nextKnown = { height, known: checkSchemaKnown(parent, height, this.#newestSchema) };
    }
    return this.#nextKnown.known;
  }

  /** As `CommittedState.keepFrom`. */
  keepFrom(height: number | null): void {
    this.#committed.keepFrom(height);
  }

  /** What the state held at a height that is held, of every key that changed behind it. Refusal: `height-not-held`. */
  changedSince(height: number): Result<ReadonlyMap<string, Uint8Array | undefined>> {
    return this.#committed.changedSince(height);
  }

  #apply(overlay: Overlay, event: VerifiedEvent, context: BlockContext): Result<void> {
    const applied = applyEvent(overlay, event, context);
    if (!applied.ok) return applied;
    for (const { key, value } of applied.value) overlay.set(key, value);
    return ok(undefined);
  }

  /**
   * Why an event can never be in a block, or null while it still may. Judged by the committed state, since an uncommitted
   * block may lose, and twice: at the committed head's time, the earliest that a later block can have (an event that is
   * too old for it is too old for all), and at `context.timestamp`, the time that a block would have now (a heartbeat may
   * have been too soon for the head of an idle chain).
   */
  finalRefusal(event: VerifiedEvent, context: BlockContext): Refusal | null {
    const { height, timestamp } = this.#head;
    if (checkApplies(this.#head, event, { ...context, height: height + 1, timestamp }).ok) return null;
    const judged = checkApplies(this.#head, event, { ...context, height: height + 1 });
    if (judged.ok || TRANSIENT_REFUSALS.has(judged.refusal.code)) return null;
    return judged.refusal.code === 'schema-not-active' && this.#isSoonActive(event.schema) ? null : judged.refusal;
  }

  /** It may be in force in a block that is under way already, which the committed state does not know. */
  #isSoonActive(schema: number): boolean {
    const fromHeight = scheduledFrom(this.#head, schema);
    return fromHeight !== null && fromHeight <= this.#head.height + 1 + MAX_UNCOMMITTED_BLOCKS;
  }

  #layer(parent: Layer, { height, timestamp }: BlockContext, overlay: Overlay): Layer {
    const changes = overlay.changes();
    const version = this.#tree.update(parent.version, changes);
    const layer = new Layer({ height, timestamp, version, parent, state: overlay, changes });
    parent.children.push(layer);
    return layer;
  }

  #discard(layer: Layer): void {
    for (const child of [...layer.children]) this.#discard(child);
    this.#tree.discard(layer.version);
    layer.abandon();
  }

  #own(execution: Execution): Layer {
    assert(execution instanceof Layer && execution.status === 'live', 'the execution is on the chain of the head', {
      height: execution.height,
      head: this.#head.height,
    });
    return execution;
  }
}

function isOfChain({ code }: Refusal): boolean {
  return REFUSALS_OF_TIME.has(code) || code === 'schema-not-active';
}

interface LayerOptions {
  readonly height: number;
  readonly timestamp: number;
  readonly version: TreeVersion;
  readonly parent: Layer | null;
  readonly state: StateReader;
  readonly changes: readonly StateChange[];
}

/** One block's changes over its parent's state. */
class Layer implements Execution {
  readonly height: number;
  readonly timestamp: number;
  readonly version: TreeVersion;
  /** Null for the committed head. */
  parent: Layer | null;
  children: Layer[] = [];
  status: 'live' | 'superseded' | 'discarded' = 'live';
  changes: readonly StateChange[];
  /** An overlay whose base is the parent; the committed state, for the head. */
  #state: StateReader;

  constructor({ height, timestamp, version, parent, state, changes }: LayerOptions) {
    this.height = height;
    this.timestamp = timestamp;
    this.version = version;
    this.parent = parent;
    this.changes = changes;
    this.#state = state;
  }

  get stateRoot(): Hash {
    return this.version.root;
  }

  get(key: string): Uint8Array | undefined {
    assert(this.status === 'live', 'the state that is read is on the chain of the head', { height: this.height });
    return this.#state.get(key);
  }

  /** The changes are in the committed state now. */
  becomeHead(committed: StateReader): void {
    this.parent = null;
    this.changes = [];
    this.#state = committed;
  }

  abandon(): void {
    const siblings = this.parent?.children ?? [];
    siblings.splice(siblings.indexOf(this), 1);
    this.status = 'discarded';
    this.parent = null;
    this.children = [];
  }
}
