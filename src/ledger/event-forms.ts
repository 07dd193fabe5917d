/**
 * The forms of events: which types each schema has, their fields, and how they are read. A schema lists what it changed;
 * every other type keeps the form that it had, and is written as before.
 */
import type { CapabilitiesDeclaredEvent, EventBase, EventType, JoinedEvent, JoinedEvent1 } from './event-schema.ts';
import type { LedgerEvent1, QuorumAction } from './event-schema.ts';
import {
  asAddresses,
  asBoolean,
  asCapabilities,
  asCapabilities1,
  asEthAddress,
  asEvidence,
  asHash,
  asObject,
  asPeerId,
  asPrintable,
  asText,
  asTime,
  asUint,
  asVersion,
  checkNames,
  MAX_REASON_LENGTH,
  stop,
  type Fields,
} from './event-fields.ts';
import type { Identity } from './identity.ts';
import { MAX_LIVENESS_WINDOW_SECONDS, MIN_LIVENESS_WINDOW_SECONDS } from './parameters.ts';
import { MAX_REFERENCE_LENGTH } from './record.ts';

/** @template E what it is read as */
interface Form<E> {
  /** Every other one is refused: nothing of an event is ever ignored. */
  readonly fields: ReadonlySet<string>;
  readonly read: (object: Fields, base: EventBase, identity: Identity) => E;
}

type FormOf<E extends { readonly type: EventType }, K extends EventType> = Form<Extract<E, { readonly type: K }>>;

const BASE_FIELDS = ['type', 'peerId', 'seq', 'time'];
const CAPABILITY_FIELDS = ['isTwitterScraper', 'isDiscordScraper', 'isTelegramScraper', 'isWebScraper'];

function fields(...own: string[]): ReadonlySet<string> {
  return new Set([...BASE_FIELDS, ...own]);
}

const FORMS_1: { readonly [K in EventType]: FormOf<LedgerEvent1, K> } = {
  joined: {
    fields: fields('multiaddrs', 'version', 'ethAddress', ...CAPABILITY_FIELDS),
    // Field by field, as it is most of what comes: a spread inside of a literal costs V8 ten times its fields.
    read: (object, { peerId, seq, time }, identity) => {
      const event: JoinedEvent1 = {
        type: 'joined',
        peerId,
        seq,
        time,
        multiaddrs: asAddresses(object, identity),
        version: asVersion(object),
        isTwitterScraper: asBoolean(object, 'isTwitterScraper'),
        isDiscordScraper: asBoolean(object, 'isDiscordScraper'),
        isTelegramScraper: asBoolean(object, 'isTelegramScraper'),
        isWebScraper: asBoolean(object, 'isWebScraper'),
      };
      return Object.hasOwn(object, 'ethAddress') ? { ...event, ethAddress: asEthAddress(object, identity) } : event;
    },
  },
  left: { fields: fields(), read: (_, base) => ({ type: 'left', ...base }) },
  addressesChanged: {
    fields: fields('multiaddrs'),
    read: (object, base, identity) => ({
      type: 'addressesChanged',
      ...base,
      multiaddrs: asAddresses(object, identity),
    }),
  },
  capabilitiesDeclared: {
    fields: fields(...CAPABILITY_FIELDS),
    read: (object, base) => ({ type: 'capabilitiesDeclared', ...base, ...asCapabilities1(object) }),
  },
  versionChanged: {
    fields: fields('version'),
    read: (object, base) => ({ type: 'versionChanged', ...base, version: asVersion(object) }),
  },
  heartbeat: { fields: fields(), read: (_, base) => ({ type: 'heartbeat', ...base }) },
  proposed: {
    fields: fields('action', 'epoch', 'replaces', 'expires'),
    read: (object, base) => ({
      type: 'proposed',
      ...base,
      action: asAction(asObject(object['action'], 'action')),
      epoch: asUint(object, 'epoch'),
      replaces: asHash(object, 'replaces'),
      expires: asTime(object, 'expires'),
    }),
  },
  approved: {
    fields: fields('proposal'),
    read: (object, base) => ({ type: 'approved', ...base, proposal: asHash(object, 'proposal') }),
  },
  evidenceRecorded: {
    fields: fields('epoch', 'offender', 'evidence'),
    read: (object, base) => ({
      type: 'evidenceRecorded',
      ...base,
      epoch: asUint(object, 'epoch'),
      offender: asPeerId(object, 'offender'),
      evidence: asEvidence(object),
    }),
  },
};

/** Both say whether the node is an LLM server. */
const FORMS_2: {
  readonly joined: Form<JoinedEvent>;
  readonly capabilitiesDeclared: Form<CapabilitiesDeclaredEvent>;
} = {
  joined: {
    fields: fields('schema', 'multiaddrs', 'version', 'ethAddress', ...CAPABILITY_FIELDS, 'isLlmServer'),
    read: (object, base, identity) => {
      const event = FORMS_1.joined.read(object, base, identity);
      return { ...event, isLlmServer: asBoolean(object, 'isLlmServer') };
    },
  },
  capabilitiesDeclared: {
    fields: fields('schema', ...CAPABILITY_FIELDS, 'isLlmServer'),
    read: (object, base) => ({ type: 'capabilitiesDeclared', ...base, ...asCapabilities(object) }),
  },
};

type AnyForm = Form<LedgerEvent1 | JoinedEvent | CapabilitiesDeclaredEvent>;

const FORMS: readonly Readonly<Record<string, AnyForm>>[] = [FORMS_1, FORMS_2];

/** Undefined where that schema gave this type no form. @param schema one that this program knows */
export function formOf(type: string, schema: number): AnyForm | undefined {
  const forms = FORMS[schema - 1] ?? {};
  return Object.hasOwn(forms, type) ? forms[type] : undefined;
}

/** Whether any schema that this program knows has events of this type. */
export function isEventType(type: string): boolean {
  return FORMS.some((forms) => Object.hasOwn(forms, type));
}

function asAction(object: Fields): QuorumAction {
  const kind = asText(object, 'kind', 64);
  switch (kind) {
    case 'stakeStatusChanged':
      checkNames(object, new Set(['kind', 'peerId', 'isStaked', 'reference']));
      return {
        kind,
        peerId: asPeerId(object, 'peerId'),
        isStaked: asBoolean(object, 'isStaked'),
        reference: asPrintable(object, 'reference', MAX_REFERENCE_LENGTH),
      };
    case 'nodeRemoved':
      checkNames(object, new Set(['kind', 'peerId', 'reason']));
      return { kind, peerId: asPeerId(object, 'peerId'), reason: asPrintable(object, 'reason', MAX_REASON_LENGTH) };
    case 'workerTimeoutSet':
      checkNames(object, new Set(['kind', 'peerId', 'workerTimeout']));
      return { kind, peerId: asPeerId(object, 'peerId'), workerTimeout: asTime(object, 'workerTimeout', 0) };
    case 'schemaActivated':
      checkNames(object, new Set(['kind', 'schema', 'fromHeight']));
      return { kind, schema: asUint(object, 'schema', 2, 0xffff), fromHeight: asUint(object, 'fromHeight', 1) };
    case 'parametersChanged': {
      checkNames(object, new Set(['kind', 'parameters']));
      const parameters = asObject(object['parameters'], 'parameters');
      checkNames(parameters, new Set(['livenessWindowSeconds']));
      const window = [MIN_LIVENESS_WINDOW_SECONDS, MAX_LIVENESS_WINDOW_SECONDS] as const;
      return { kind, parameters: { livenessWindowSeconds: asUint(parameters, 'livenessWindowSeconds', ...window) } };
    }
    case 'validatorSetChanged':
      return stop('action-not-available', 'this version cannot change the validator set yet', { kind });
    default:
      return stop('action-unknown', 'not an action that validators can take', { kind });
  }
}
