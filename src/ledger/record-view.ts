/**
 * The view of a record that users of masa-oracle know: its field names, in its order (from `multiaddrs` to
 * `workerTimeout`), and then what this ledger adds. Derived on read; the state holds none of it.
 */
import { ethAddressOf, parsePeerId } from './identity.ts';
import type { ChainParameters } from './parameters.ts';
import { NANOSECONDS, openUptimeSeconds, type NodeRecord } from './record.ts';
import { formatRfc3339, GO_ZERO_TIME } from './rfc3339.ts';
import { assert } from '../base/assert.ts';

/** `undefined` members are left out of the JSON, as Go's `omitempty` leaves them out. */
export interface NodeData {
  readonly multiaddrs: readonly string[] | undefined;
  readonly multiaddrsString: string | undefined;
  readonly peerId: string;
  /** Unix seconds, block time. */
  readonly firstJoined: number;
  readonly lastJoined: number;
  readonly lastUpdated: number;
  /** Nanoseconds of the open session. */
  readonly uptime: bigint | undefined;
  readonly uptimeStr: string | undefined;
  /** Nanoseconds of all closed sessions. */
  readonly accumulatedUptime: bigint | undefined;
  readonly accumulatedUptimeStr: string | undefined;
  readonly ethAddress: string | undefined;
  /** 1 left; 0 (joined) is left out. */
  readonly activity: 1 | undefined;
  readonly isActive: boolean;
  readonly isStaked: boolean;
  readonly isValidator: boolean;
  readonly isTwitterScraper: boolean;
  readonly isDiscordScraper: boolean;
  readonly isTelegramScraper: boolean;
  readonly isWebScraper: boolean;
  /** Left out where it is not so, as older nodes know no such field. */
  readonly isLlmServer: true | undefined;
  readonly version: string;
  /** RFC 3339, UTC. */
  readonly workerTimeout: string;
  readonly lastLeft: number | undefined;
  readonly lastHeard: number;
  readonly stakeAttestedAt: number | undefined;
  readonly stakeReference: string | undefined;
}

export interface ReaderContext {
  /** The READER's clock, unix seconds: whether a node is active is a question about now. */
  readonly nowSeconds: number;
  /** Member of the current validator set. */
  readonly isValidator: boolean;
  readonly parameters: Pick<ChainParameters, 'livenessWindowSeconds'>;
}

export function isActive(record: NodeRecord, reader: Pick<ReaderContext, 'nowSeconds' | 'parameters'>): boolean {
  return (
    record.activity === 'joined' && reader.nowSeconds - record.lastHeard <= reader.parameters.livenessWindowSeconds
  );
}

export function deriveNodeData(record: NodeRecord, reader: ReaderContext): NodeData {
  const identity = parsePeerId(record.peerId);
  assert(identity.ok, 'the peer id of a record parses', { peerId: record.peerId });
  const openNs = BigInt(openUptimeSeconds(record)) * NANOSECONDS;
  const hasAddresses = record.multiaddrs.length > 0;
  return {
    multiaddrs: hasAddresses ? record.multiaddrs : undefined,
    multiaddrsString: hasAddresses ? record.multiaddrs.join(' ') : undefined,
    peerId: record.peerId,
    firstJoined: record.firstJoined,
    lastJoined: record.lastJoined,
    lastUpdated: record.lastUpdated,
    uptime: unlessZero(openNs),
    uptimeStr: durationText(openNs),
    accumulatedUptime: unlessZero(record.closedUptimeNs),
    accumulatedUptimeStr: durationText(record.closedUptimeNs),
    ethAddress: ethAddressOf(identity.value) || undefined,
    activity: record.activity === 'left' ? 1 : undefined,
    isActive: isActive(record, reader),
    isStaked: record.stake?.isStaked ?? false,
    isValidator: reader.isValidator,
    isTwitterScraper: record.isTwitterScraper,
    isDiscordScraper: record.isDiscordScraper,
    isTelegramScraper: record.isTelegramScraper,
    isWebScraper: record.isWebScraper,
    isLlmServer: record.isLlmServer || undefined,
    version: record.version,
    workerTimeout: record.workerTimeoutNs === null ? GO_ZERO_TIME : formatRfc3339(record.workerTimeoutNs),
    lastLeft: record.lastLeft === 0 ? undefined : record.lastLeft,
    lastHeard: record.lastHeard,
    stakeAttestedAt: record.stake?.attestedAt,
    stakeReference: record.stake?.reference,
  };
}

function unlessZero(ns: bigint): bigint | undefined {
  return ns === 0n ? undefined : ns;
}

/** "9 days 0 hours 0 minutes", rounded to the minute, as masa-oracle's `PrettyDuration`; undefined for nothing. */
function durationText(ns: bigint): string | undefined {
  if (ns === 0n) return undefined;
  const minutes = (ns + 30n * NANOSECONDS) / (60n * NANOSECONDS);
  const hours = minutes / 60n;
  const days = hours / 24n;
  if (days > 0n) return `${days} days ${hours % 24n} hours ${minutes % 60n} minutes`;
  return hours > 0n ? `${hours} hours ${minutes % 60n} minutes` : `${minutes} minutes`;
}

/**
 * JSON in which a bigint is integer digits, at any depth: uptimes in nanoseconds pass 2^53, where `JSON.stringify`
 * would throw and a number would round. Members that are `undefined` are left out.
 */
export function stringifyWithDigits(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map((item) => stringifyWithDigits(item ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${stringifyWithDigits(member)}`).join(',')}}`;
}
