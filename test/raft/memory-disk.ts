/**
 * What one server has on its disk, in memory, and an engine on top of it. `diskWith` and `engineOn` are all that a test of
 * one server needs: it steps the engine itself and looks at the effects.
 */
import { utf8, textFromUtf8 } from '../../src/base/bytes.ts';
import { ok, refuse } from '../../src/base/result.ts';
import {
  DEFAULT_LIMITS,
  DEFAULT_TIMINGS,
  type ConfigurationCodec,
  type HardState,
  type LogReader,
  type RaftEffect,
  type RaftLimits,
  type RaftTimings,
  type SnapshotMeta,
} from '../../src/raft/contract.ts';
import { RaftEngine } from '../../src/raft/engine.ts';
import {
  ENTRY_TYPES,
  type Configuration,
  type Entry,
  type EntryType,
  type LoggedConfiguration,
  type Server,
  type Suffrage,
} from '../../src/raft/messages.ts';

type Persist = Extract<RaftEffect, { kind: 'persist' }>;

/** JSON in place of the wire's MessagePack: the engine does not look into it. */
export const jsonCodec: ConfigurationCodec = {
  encode: (configuration) => utf8(JSON.stringify(configuration)),
  decode: (entry) => {
    try {
      return ok(JSON.parse(textFromUtf8(entry.data ?? new Uint8Array())) as Configuration);
    } catch {
      return refuse('undecodable', 'not a configuration', { index: entry.index });
    }
  },
};

/** A server of a test: id `A`, address `A:1`. */
export function serverNamed(id: string, suffrage: Suffrage = 'voter'): Server {
  return { id, address: `${id}:1`, suffrage };
}

export function configurationOf(...servers: readonly Server[]): Configuration {
  return { servers };
}

export function votersNamed(...ids: readonly string[]): Configuration {
  return { servers: ids.map((id) => serverNamed(id)) };
}

/** An entry with text as its data; nothing for none. */
export function entryOf(index: number, term: number, text?: string, type: EntryType = ENTRY_TYPES.command): Entry {
  const data = text === undefined ? null : utf8(text);
  return { index, term, type, data, extensions: null, appendedAt: undefined };
}

export function configurationEntry(index: number, term: number, configuration: Configuration): Entry {
  return { ...entryOf(index, term), type: ENTRY_TYPES.configuration, data: jsonCodec.encode(configuration) };
}

/** A snapshot of a test's state machine: the entries that were applied. */
export interface StoredSnapshot {
  readonly meta: SnapshotMeta;
  readonly applied: readonly Entry[];
}

export class MemoryDisk implements LogReader {
  hardState: HardState = { term: 0, votedFor: null };
  snapshot: StoredSnapshot | null = null;
  entries: Entry[] = [];
  /** Of the log; the index of `entries[0]` when there is one. */
  firstIndex = 1;

  get lastIndex(): number {
    return this.firstIndex - 1 + this.entries.length;
  }

  entry(index: number): Entry | undefined {
    return this.entries[index - this.firstIndex];
  }

  write({ hardState, truncateFrom, entries }: Persist): void {
    if (hardState !== null) this.hardState = hardState;
    if (truncateFrom !== null) this.entries.splice(truncateFrom - this.firstIndex);
    for (const entry of entries) {
      if (entry.index !== this.lastIndex + 1) throw new Error(`entry ${entry.index} behind ${this.lastIndex}`);
      this.entries.push(entry);
    }
  }

  compact(upTo: number): void {
    if (upTo < this.firstIndex) return;
    this.entries.splice(0, upTo + 1 - this.firstIndex);
    this.firstIndex = upTo + 1;
  }

  restore(snapshot: StoredSnapshot): void {
    this.snapshot = snapshot;
    this.entries = [];
    this.firstIndex = snapshot.meta.lastIndex + 1;
  }

  /** All that are in the log, ascending. */
  configurations(): LoggedConfiguration[] {
    return this.entries.filter(({ type }) => type === ENTRY_TYPES.configuration).map(configurationIn);
  }
}

function configurationIn(entry: Entry): LoggedConfiguration {
  const configuration = jsonCodec.decode(entry);
  if (!configuration.ok) throw new Error(`entry ${entry.index} is no configuration`);
  return { index: entry.index, configuration: configuration.value };
}

export interface DiskContents {
  /** Entry 1, of term 1; without it the disk is blank. */
  readonly configuration?: Configuration;
  /** The terms of the entries that follow, or the entries. */
  readonly log?: readonly (number | Entry)[];
  readonly term?: number;
  readonly votedFor?: string | null;
}

/** `diskWith({ configuration: votersNamed('A', 'B', 'C'), log: [1, 1, 2] })`: four entries, the last of term 2. */
export function diskWith({ configuration, log = [], term, votedFor = null }: DiskContents): MemoryDisk {
  const disk = new MemoryDisk();
  if (configuration !== undefined) disk.entries.push(configurationEntry(1, 1, configuration));
  for (const item of log)
    disk.entries.push(typeof item === 'number' ? entryOf(disk.lastIndex + 1, item, `${disk.lastIndex + 1}`) : item);
  disk.hardState = { term: term ?? disk.entries.at(-1)?.term ?? 0, votedFor };
  return disk;
}

export interface EngineSettings {
  readonly timings?: Partial<RaftTimings>;
  readonly limits?: Partial<RaftLimits>;
  readonly seed?: number;
  readonly protocolVersion?: 2 | 3;
  /** `A:1` of server `A` where nothing else is said. */
  readonly address?: string;
}

/** Not started yet. What its snapshot holds is applied. */
export function engineOn(disk: MemoryDisk, id: string, settings: EngineSettings = {}): RaftEngine {
  return new RaftEngine({
    self: { id, address: settings.address ?? serverNamed(id).address },
    protocolVersion: settings.protocolVersion ?? 3,
    timings: { ...DEFAULT_TIMINGS, ...settings.timings },
    limits: { ...DEFAULT_LIMITS, ...settings.limits },
    seed: settings.seed ?? 1,
    hardState: disk.hardState,
    log: disk,
    codec: jsonCodec,
    snapshot: disk.snapshot?.meta ?? null,
    configurations: disk.configurations(),
    appliedIndex: disk.snapshot?.meta.lastIndex ?? 0,
  });
}
