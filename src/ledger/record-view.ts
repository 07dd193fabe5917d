/** The view of a record that users of masa-oracle know. */
import type { ChainParameters } from './parameters.ts';
import type { NodeRecord } from './record.ts';

/** masa's field names, in masa's order; `undefined` fields are left out of the JSON. */
export interface NodeData {
  readonly multiaddrs: readonly string[] | undefined;
  readonly multiaddrsString: string | undefined;
  readonly peerId: string;
  readonly firstJoined: number | undefined;
  readonly lastJoined: number | undefined;
  readonly lastUpdated: number | undefined;
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
  readonly version: string;
  /** RFC 3339, UTC. */
  readonly workerTimeout: string;
  readonly lastLeft: number | undefined;
  readonly lastHeard: number;
  readonly stakeAttestedAt: number | undefined;
  readonly stakeReference: string | undefined;
}

export interface ReaderContext {
  /** The READER's clock: activity is a question about now. */
  readonly nowSeconds: number;
  readonly isValidator: boolean;
  readonly parameters: Pick<ChainParameters, 'livenessWindowSeconds'>;
}

export function deriveNodeData(_record: NodeRecord, _reader: ReaderContext): NodeData {
  throw new Error('unfinished');
}

/** JSON in which bigints are integer digits, at any depth. `undefined` members are left out. */
export function stringifyWithDigits(_value: unknown): string {
  throw new Error('unfinished');
}
