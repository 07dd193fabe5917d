/**
 * Hand-made logs, configurations and messages for tests of the Raft engine. Servers are numbered; server 3 has the id
 * `n3` and the address `h3:7000`, so that nothing passes which takes one for the other.
 */
import { Packr } from 'msgpackr';
import { ok, refuse } from '../../src/base/result.ts';
import type { ConfigurationCodec } from '../../src/raft/contract.ts';
import {
  ENTRY_TYPES,
  type AppendEntriesRequest,
  type Claim,
  type Configuration,
  type Entry,
  type EntryType,
  type InstallSnapshotRequest,
  type PreVoteRequest,
  type RequestVoteRequest,
  type ServerAddress,
  type ServerId,
  type Suffrage,
  type TimeoutNowRequest,
} from '../../src/raft/messages.ts';

/** Index and term of an entry. */
export type Position = readonly [index: number, term: number];

export const NOWHERE: Position = [0, 0];

export function idOf(server: number): ServerId {
  return `n${server}`;
}

export function addressOf(server: number): ServerAddress {
  return `h${server}:7000`;
}

/** The number of the server with this id or address. */
export function numberOf(name: string): number {
  return Number.parseInt(name.slice(1), 10);
}

/** Suffrages in the order of their numbers on the wire. */
const SUFFRAGES: readonly Suffrage[] = ['voter', 'nonvoter', 'staging'];

export function configurationOf(voters: readonly number[], nonvoters: readonly number[] = []): Configuration {
  const serversOf = (numbers: readonly number[], suffrage: Suffrage) =>
    numbers.map((server) => ({ id: idOf(server), address: addressOf(server), suffrage }));
  return { servers: [...serversOf(voters, 'voter'), ...serversOf(nonvoters, 'nonvoter')] };
}

/** Another MessagePack than the engine's own writes configurations here, and reads what the engine wrote. */
const packer = new Packr({ useRecords: false, variableMapSize: true });

export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const Servers = configuration.servers.map(({ id, address, suffrage }) => ({
    Address: address,
    ID: id,
    Suffrage: SUFFRAGES.indexOf(suffrage),
  }));
  return Uint8Array.from(packer.pack({ Servers }));
}

export function decodeConfiguration(bytes: Uint8Array): Configuration {
  const { Servers } = packer.unpack(bytes) as { Servers: { Address: string; ID: string; Suffrage: number }[] };
  return {
    servers: Servers.map(({ Address, ID, Suffrage }) => ({
      id: ID,
      address: Address,
      suffrage: SUFFRAGES[Suffrage] ?? 'staging',
    })),
  };
}

export const testCodec: ConfigurationCodec = {
  encode: encodeConfiguration,
  decode: ({ index, data }) => {
    try {
      return ok(decodeConfiguration(data ?? new Uint8Array()));
    } catch (error) {
      return refuse('undecodable', 'no configuration', { index, reason: String(error) });
    }
  },
};

function entryOf(index: number, term: number, type: EntryType, data: Uint8Array | null): Entry {
  return { index, term, type, data, extensions: null, appendedAt: undefined };
}

export function command(index: number, term: number, text = `x${index}`): Entry {
  return entryOf(index, term, ENTRY_TYPES.command, new TextEncoder().encode(text));
}

export function noop(index: number, term: number): Entry {
  return entryOf(index, term, ENTRY_TYPES.noop, null);
}

export function configurationEntry(index: number, term: number, configuration: Configuration): Entry {
  return entryOf(index, term, ENTRY_TYPES.configuration, encodeConfiguration(configuration));
}

/** A log whose entries have these terms: the configuration that the cluster began with, and then commands. */
export function logOf(configuration: Configuration, terms: readonly number[]): Entry[] {
  return terms.map((term, i) => (i === 0 ? configurationEntry(1, term, configuration) : command(i + 1, term)));
}

/** What a command says, or what else an entry is. */
export function tellEntry({ type, data }: Entry): string {
  switch (type) {
    case ENTRY_TYPES.command:
      return JSON.stringify(textOf(data));
    case ENTRY_TYPES.noop:
      return 'noop';
    case ENTRY_TYPES.barrier:
      return 'barrier';
    case ENTRY_TYPES.configuration:
      return `{${tellConfiguration(decodeConfiguration(data ?? new Uint8Array()))}}`;
    default:
      return `type ${type}`;
  }
}

export function tellConfiguration({ servers }: Configuration): string {
  return servers
    .map(({ id, suffrage }) => (suffrage === 'voter' ? `${numberOf(id)}` : `${numberOf(id)} ${suffrage}`))
    .join(', ');
}

export function textOf(data: Uint8Array | null): string {
  return new TextDecoder().decode(data ?? new Uint8Array());
}

/** Who sends. Without a claim it is a version before 1.3.7, which says no more than the old fields. */
interface Sending {
  readonly from: number;
  readonly protocolVersion?: number;
  readonly sender?: Claim;
}

function headerOf({ from, protocolVersion = 3, sender }: Sending) {
  return { protocolVersion, sender: sender ?? { id: idOf(from), address: addressOf(from) } };
}

/** The claim of a version before 1.3.7. */
export const NO_CLAIM: Claim = { id: null, address: null };

export function appendEntries(
  words: Sending & {
    readonly term: number;
    readonly prev?: Position;
    readonly entries?: readonly Entry[];
    readonly commit?: number;
  },
): AppendEntriesRequest {
  const [prevIndex, prevTerm] = words.prev ?? NOWHERE;
  return {
    kind: 'appendEntries',
    ...headerOf(words),
    term: words.term,
    leader: addressOf(words.from),
    prevIndex,
    prevTerm,
    entries: words.entries ?? [],
    commitIndex: words.commit ?? 0,
  };
}

/** Nothing but "I lead": entries are null, all else is 0. */
export function heartbeat(words: Sending & { readonly term: number }): AppendEntriesRequest {
  return { ...appendEntries(words), entries: null };
}

export function requestVote(
  words: Sending & { readonly term: number; readonly last: Position; readonly isTransfer?: boolean },
): RequestVoteRequest {
  const [lastIndex, lastTerm] = words.last;
  const { term, isTransfer = false } = words;
  const candidate = addressOf(words.from);
  return { kind: 'requestVote', ...headerOf(words), term, candidate, lastIndex, lastTerm, isTransfer };
}

export function preVote(words: Sending & { readonly term: number; readonly last: Position }): PreVoteRequest {
  const [lastIndex, lastTerm] = words.last;
  return { kind: 'preVote', ...headerOf(words), term: words.term, lastIndex, lastTerm };
}

export function installSnapshot(
  words: Sending & {
    readonly term: number;
    readonly last: Position;
    readonly configuration: Configuration;
    readonly configurationIndex?: number;
  },
): InstallSnapshotRequest {
  const [lastIndex, lastTerm] = words.last;
  return {
    kind: 'installSnapshot',
    ...headerOf(words),
    term: words.term,
    leader: addressOf(words.from),
    lastIndex,
    lastTerm,
    configuration: words.configuration,
    configurationIndex: words.configurationIndex ?? 1,
    sizeBytes: 100,
  };
}

export function timeoutNow(words: Sending): TimeoutNowRequest {
  return { kind: 'timeoutNow', ...headerOf(words) };
}
