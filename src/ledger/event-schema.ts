/**
 * The event types and their fields; `event-check.ts` holds a parsed JSON value against them.
 *
 * A type may have several forms: that of event schema 1, and a newer one from each schema that changed it. `LedgerEvent`
 * is what the rest of the program knows, each type in its newest form; `WrittenEvent` is what is signed, in any form.
 */
import type { Hash } from '../base/hash.ts';
import type { ChainParameters } from './parameters.ts';

/** Common to all events. */
export interface EventBase {
  /** The signer, canonical base58. */
  readonly peerId: string;
  /** Greater than the signer's last one; a sender uses max(last + 1, unix milliseconds). */
  readonly seq: number;
  /** The submitter's clock, unix seconds. */
  readonly time: number;
}

/** What a node can do, as schema 1 knows it. */
export interface Capabilities1 {
  readonly isTwitterScraper: boolean;
  readonly isDiscordScraper: boolean;
  readonly isTelegramScraper: boolean;
  readonly isWebScraper: boolean;
}

export interface Capabilities extends Capabilities1 {
  /** It answers prompts with a language model of its own. Since schema 2. */
  readonly isLlmServer: boolean;
}

interface Joined extends EventBase {
  readonly type: 'joined';
  /** Normalised; the signed JSON holds them as the node wrote them. */
  readonly multiaddrs: readonly string[];
  readonly version: string;
  /** Redundant, as it is derived from the peer id; a different one is refused. */
  readonly ethAddress?: string;
}

export interface JoinedEvent1 extends Joined, Capabilities1 {}

export interface JoinedEvent extends Joined, Capabilities {}

export interface LeftEvent extends EventBase {
  readonly type: 'left';
}

export interface AddressesChangedEvent extends EventBase {
  readonly type: 'addressesChanged';
  /** Normalised, as in `JoinedEvent`. */
  readonly multiaddrs: readonly string[];
}

interface CapabilitiesDeclared extends EventBase {
  readonly type: 'capabilitiesDeclared';
}

export interface CapabilitiesDeclaredEvent1 extends CapabilitiesDeclared, Capabilities1 {}

export interface CapabilitiesDeclaredEvent extends CapabilitiesDeclared, Capabilities {}

export interface VersionChangedEvent extends EventBase {
  readonly type: 'versionChanged';
  readonly version: string;
}

export interface HeartbeatEvent extends EventBase {
  readonly type: 'heartbeat';
}

export interface ProposedEvent extends EventBase {
  readonly type: 'proposed';
  readonly action: QuorumAction;
  readonly epoch: number;
  /** Digest of the value that the action replaces (`replacedDigest`); the zero hash where there is none. */
  readonly replaces: Hash;
  /** Unix seconds, block time: void after it. */
  readonly expires: number;
}

export interface ApprovedEvent extends EventBase {
  readonly type: 'approved';
  /** Event id of the `proposed` event. */
  readonly proposal: Hash;
}

export interface EvidenceRecordedEvent extends EventBase {
  readonly type: 'evidenceRecorded';
  readonly epoch: number;
  readonly offender: string;
  /** Base64 of the encoded evidence (`qc/evidence.ts`), verified at admission like a signature. */
  readonly evidence: string;
}

export type LedgerEvent =
  | JoinedEvent
  | LeftEvent
  | AddressesChangedEvent
  | CapabilitiesDeclaredEvent
  | VersionChangedEvent
  | HeartbeatEvent
  | ProposedEvent
  | ApprovedEvent
  | EvidenceRecordedEvent;

export type EventType = LedgerEvent['type'];

/** What schema 2 changed. */
type Changed2 = JoinedEvent | CapabilitiesDeclaredEvent;

/** What a program of schema 1 knows. */
export type LedgerEvent1 = Exclude<LedgerEvent, Changed2> | JoinedEvent1 | CapabilitiesDeclaredEvent1;

/** The first schema goes without saying, and says nothing of what came later. */
interface Of1 {
  readonly schema?: never;
  readonly isLlmServer?: never;
}

interface Of2 {
  readonly schema: 2;
}

/** As it is signed: an event that was read is not written again. */
export type WrittenEvent = (LedgerEvent1 & Of1) | (JoinedEvent & Of2) | (CapabilitiesDeclaredEvent & Of2);

export interface StakeStatusChanged {
  readonly kind: 'stakeStatusChanged';
  readonly peerId: string;
  readonly isStaked: boolean;
  /** By what it is attested, such as a chain and a transaction: 1 to 128 printable ASCII characters. */
  readonly reference: string;
}

export interface NodeRemoved {
  readonly kind: 'nodeRemoved';
  readonly peerId: string;
  /** For people: 1 to 256 printable ASCII characters. */
  readonly reason: string;
}

export interface WorkerTimeoutSet {
  readonly kind: 'workerTimeoutSet';
  readonly peerId: string;
  /** Unix seconds; 0 clears it. */
  readonly workerTimeout: number;
}

export interface SchemaActivated {
  readonly kind: 'schemaActivated';
  readonly schema: number;
  /** Of the first block that may hold events of that schema. */
  readonly fromHeight: number;
}

export interface ParametersChanged {
  readonly kind: 'parametersChanged';
  readonly parameters: Omit<ChainParameters, 'eventSchema'>;
}

/** What a quorum of validators can do. `validatorSetChanged` is known and answered `action-not-available`. */
export type QuorumAction = StakeStatusChanged | NodeRemoved | WorkerTimeoutSet | SchemaActivated | ParametersChanged;
