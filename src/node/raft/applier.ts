/**
 * Committed entries go to the state machine, in order and in bounded batches. In memory the state is the new one at once,
 * and whoever proposed an entry hears the outcome at once: the entry is on the disks of a quorum. The state machine's
 * operations follow in a batch with the applied index; a power cut takes back both, and the log says the same again.
 */
import { assert } from '../../base/assert.ts';
import type { ConfigurationCodec } from '../../raft/contract.ts';
import { ENTRY_TYPES, type Entry, type LoggedConfiguration } from '../../raft/messages.ts';
import type { AppliedRecord } from '../../raft/stored-records.ts';
import type { Write } from '../group-commit.ts';
import { appliedOp } from './log-store.ts';
import type { StateMachine } from './state-machine.ts';

export interface ApplierOptions<O> {
  readonly machine: Pick<StateMachine<O>, 'apply' | 'written'>;
  readonly codec: ConfigurationCodec;
  readonly entry: (index: number) => Entry | undefined;
  /** Runs it when this server has nothing more urgent to do than to apply: in its own time, but soon. */
  readonly begin: (run: () => void) => void;
  readonly write: (write: Write, written: (() => void) | null) => void;
  readonly outcome: (entry: Entry, outcome: O) => void;
  /** Everything up to here is applied in memory. */
  readonly applied: (index: number) => void;
  readonly failed: (error: unknown) => void;
}

/** Of one batch: bounds how long the loop waits for the state machine. */
const MAX_ENTRIES = 512;
const MAX_BYTES = 1 << 20;

export class Applier<O> {
  readonly #options: ApplierOptions<O>;
  #applied: AppliedRecord;
  /** In force at the applied index. */
  #configuration: LoggedConfiguration;
  #committed: number;
  #scheduled = false;
  #paused = 0;
  #stopped = false;

  constructor(options: ApplierOptions<O>, applied: AppliedRecord, configuration: LoggedConfiguration) {
    this.#options = options;
    this.#applied = applied;
    this.#committed = applied.index;
    this.#configuration = configuration;
  }

  get applied(): AppliedRecord {
    return this.#applied;
  }

  get configuration(): LoggedConfiguration {
    return this.#configuration;
  }

  /** Begins when the turn that says so has handed its writes to the disk: what is applied is behind its entries there. */
  commitTo(index: number): void {
    this.#committed = Math.max(this.#committed, index);
    if (this.#scheduled || this.#paused > 0) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#options.begin(() => this.#run()));
  }

  /** Nothing is applied until `resume` was called as often. */
  pause(): void {
    this.#paused++;
  }

  resume(): void {
    this.#paused--;
    this.commitTo(this.#committed);
  }

  /** The state is another one: that of a snapshot. */
  restored(applied: AppliedRecord, configuration: LoggedConfiguration): void {
    this.#applied = applied;
    this.#configuration = configuration;
    this.#committed = Math.max(this.#committed, applied.index);
  }

  stop(): void {
    this.#stopped = true;
  }

  #run(): void {
    this.#scheduled = false;
    if (this.#paused > 0 || this.#stopped || this.#applied.index >= this.#committed) return;
    try {
      this.#apply(this.#nextEntries());
    } catch (error) {
      this.#stopped = true;
      this.#options.failed(error);
      return;
    }
    if (this.#applied.index >= this.#committed) return;
    this.#scheduled = true;
    setImmediate(() => this.#run());
  }

  #nextEntries(): readonly Entry[] {
    const entries: Entry[] = [];
    let bytes = 0;
    for (let index = this.#applied.index + 1; index <= this.#committed && entries.length < MAX_ENTRIES; index++) {
      const entry = this.#options.entry(index);
      assert(entry !== undefined, 'what is committed and not applied is in the log', { index });
      bytes += entry.data?.length ?? 0;
      if (entries.length > 0 && bytes > MAX_BYTES) break;
      entries.push(entry);
    }
    return entries;
  }

  #apply(entries: readonly Entry[]): void {
    const { applied, machine, outcome, write } = this.#options;
    const last = entries.at(-1);
    assert(last !== undefined, 'a batch has entries');
    const application = machine.apply(entries);
    const { operations, outcomes } = application;
    assert(outcomes.length === entries.length, 'every entry has an outcome', {
      entries: entries.length,
      outcomes: outcomes.length,
    });
    this.#applied = { index: last.index, term: last.term };
    for (const entry of entries) this.#noteConfiguration(entry);
    const written = machine.written === undefined ? null : () => machine.written?.(application);
    write({ operations: [...operations, appliedOp(this.#applied)], sync: false }, written);
    for (let i = 0; i < entries.length; i++) outcome(entries[i] as Entry, outcomes[i] as O);
    applied(last.index);
  }

  #noteConfiguration(entry: Entry): void {
    const { type } = entry;
    if (type !== ENTRY_TYPES.configuration && type !== ENTRY_TYPES.addPeer && type !== ENTRY_TYPES.removePeer) return;
    const decoded = this.#options.codec.decode(entry);
    assert(decoded.ok, 'a configuration that was taken into the log decodes', { index: entry.index });
    this.#configuration = { index: entry.index, configuration: decoded.value };
  }
}
