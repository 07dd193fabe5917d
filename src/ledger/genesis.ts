/**
 * What a chain starts from: its name, its first validators, parameters and records.
 *
 * The hash of a genesis is over its canonical binary form, not over a file: layout and order of a file do not matter,
 * every value does. The chain id carries half of that hash, so that whoever knows a chain's id can check its genesis.
 */
import { z } from 'zod';
import { AssertionError } from '../base/assert.ts';
import { concatBytes, fromHex, toHex, utf8 } from '../base/bytes.ts';
import { bytes, codec, list, struct, text, uint } from '../base/codec.ts';
import { sha256Hex, type Hash } from '../base/hash.ts';
import { ok, refuse, type Refused, type Result } from '../base/result.ts';
import { MAX_VALIDATORS } from '../qc/bitmap.ts';
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../qc/scheme.ts';
import { parsePeerId } from './identity.ts';
import { checkRecordInvariants } from './invariants.ts';
import { normaliseAddresses } from './multiaddrs.ts';
import { checkParameters, encodeParameters, type ChainParameters } from './parameters.ts';
import { MAX_RECORD_BYTES, nodeEntryCodec, type NodeRecord } from './record.ts';
import { listedValidatorShape, type ListedValidator } from './validators.ts';

export const MAX_CHAIN_NAME_LENGTH = 31;
export const CHAIN_NAME = /^[a-z0-9][a-z0-9-]{0,30}$/;
export const MAX_GENESIS_RECORDS = 1_000_000;

export type GenesisValidator = ListedValidator;

export interface Genesis {
  /** 1 to 31 characters `[a-z0-9-]`, the readable part of the chain id. */
  readonly name: string;
  /** Time of the first block, unix seconds. */
  readonly timestamp: number;
  /** Blocks in a row, of consecutive rounds, that commit the first of them. */
  readonly commitDepth: 2 | 3;
  readonly parameters: ChainParameters;
  /** Of epoch 0; each peer id once. */
  readonly validators: readonly GenesisValidator[];
  /** What an import made; each peer id once. */
  readonly records: readonly NodeRecord[];
}

const GENESIS_DOMAIN = utf8('hotledger/genesis/1\n');

interface GenesisBytes extends Omit<Genesis, 'commitDepth' | 'parameters' | 'records'> {
  readonly commitDepth: number;
  readonly parameters: Uint8Array;
  readonly records: readonly Uint8Array[];
}

/** Only ever encoded, to be hashed: a genesis travels as JSON. */
const genesisCodec = codec(
  struct<GenesisBytes>({
    name: text(MAX_CHAIN_NAME_LENGTH),
    timestamp: uint(),
    commitDepth: uint(3),
    parameters: bytes(1024),
    validators: list(listedValidatorShape, MAX_VALIDATORS),
    records: list(bytes(MAX_RECORD_BYTES), MAX_GENESIS_RECORDS),
  }),
  Number.MAX_SAFE_INTEGER,
);

export function genesisHash(genesis: Genesis): Hash {
  const encoded = genesisCodec.encode({
    name: genesis.name,
    timestamp: genesis.timestamp,
    commitDepth: genesis.commitDepth,
    parameters: encodeParameters(genesis.parameters),
    validators: byPeerId(genesis.validators),
    records: byPeerId(genesis.records).map((record) => nodeEntryCodec.encode(record)),
  });
  return sha256Hex(concatBytes(GENESIS_DOMAIN, encoded));
}

/** `<name>-<first 32 hex digits of the genesis hash>` */
export function chainIdOf(genesis: Genesis): string {
  return `${genesis.name}-${genesisHash(genesis).slice(0, 32)}`;
}

export function byPeerId<T extends { readonly peerId: string }>(items: readonly T[]): readonly T[] {
  return items.toSorted((a, b) => (a.peerId < b.peerId ? -1 : 1));
}

const wholeNumber = z.int().min(0);
const digits = z
  .string()
  .regex(/^[0-9]{1,19}$/)
  .transform(BigInt);
const hashText = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .transform((digest) => digest as Hash);

function hexBytes(length: number) {
  return z
    .string()
    .regex(new RegExp(`^[0-9a-f]{${2 * length}}$`), `${2 * length} lowercase hex digits`)
    .transform((hex) => fromHex(hex) as Uint8Array);
}

const recordJson = z.strictObject({
  peerId: z.string(),
  multiaddrs: z.array(z.string()),
  version: z.string(),
  isTwitterScraper: z.boolean(),
  isDiscordScraper: z.boolean(),
  isTelegramScraper: z.boolean(),
  isWebScraper: z.boolean(),
  isLlmServer: z.boolean().default(false),
  stake: z.nullable(
    z.strictObject({
      isStaked: z.boolean(),
      attestedAt: wholeNumber,
      proposal: z.nullable(hashText),
      reference: z.string(),
    }),
  ),
  activity: z.enum(['joined', 'left']),
  firstJoined: wholeNumber,
  lastJoined: wholeNumber,
  lastLeft: wholeNumber,
  lastHeard: wholeNumber,
  lastUpdated: wholeNumber,
  closedUptimeNs: digits,
  workerTimeoutNs: z.nullable(digits),
  lastSeq: wholeNumber,
  lastEventId: hashText,
});

const genesisJson = z.strictObject({
  name: z.string().regex(CHAIN_NAME, '1 to 31 characters a-z, 0-9 and -'),
  timestamp: wholeNumber,
  commitDepth: z.literal([2, 3]),
  parameters: z.strictObject({ livenessWindowSeconds: wholeNumber, eventSchema: wholeNumber }),
  validators: z
    .array(
      z.strictObject({
        peerId: z.string(),
        blsPublicKey: hexBytes(PUBLIC_KEY_BYTES),
        proofOfPossession: hexBytes(SIGNATURE_BYTES),
        multiaddrs: z.array(z.string()),
      }),
    )
    .min(1)
    .max(MAX_VALIDATORS),
  records: z.array(recordJson).max(MAX_GENESIS_RECORDS),
});

/**
 * Reads a genesis from JSON. Proofs of possession are checked where the validator set is made.
 *
 * Refusals: `genesis-malformed` with the place; `parameters-invalid`, `schema-unknown` and those of `parsePeerId` and
 * `normaliseAddresses`.
 */
export function parseGenesis(jsonText: string): Result<Genesis> {
  let json: unknown;
  try {
    json = JSON.parse(jsonText);
  } catch {
    return malformed('', 'not JSON');
  }
  const parsed = genesisJson.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return malformed(issue?.path.join('.') ?? '', issue?.message ?? '');
  }
  const { data } = parsed;
  const parameters = checkParameters(data.parameters);
  if (!parameters.ok) return parameters;
  const records = data.records.map((record): NodeRecord => ({ kind: 'record', origin: 'import', ...record }));
  for (const { peerId, multiaddrs } of [...data.validators, ...records]) {
    const checked = checkPeer(peerId, multiaddrs);
    if (!checked.ok) return checked;
  }
  for (const record of records) {
    const checked = checkRecord(record, data);
    if (!checked.ok) return checked;
  }
  const repeated = repeatedPeerId(data.validators) ?? repeatedPeerId(records);
  if (repeated !== undefined) return malformed(repeated, 'appears twice');
  return ok({ ...data, records: byPeerId(records), validators: byPeerId(data.validators) });
}

/** JSON as `parseGenesis` reads it, one record a line. */
export function formatGenesis(genesis: Genesis): string {
  const { commitDepth, name, parameters, records, timestamp, validators } = genesis;
  const lines = (items: readonly object[]) =>
    items.length === 0 ? '[]' : `[\n    ${items.map((item) => JSON.stringify(item)).join(',\n    ')}\n  ]`;
  const head = Object.entries({ name, timestamp, commitDepth, parameters }).map(
    ([field, value]) => `  "${field}": ${JSON.stringify(value)},\n`,
  );
  return `{\n${head.join('')}  "validators": ${lines(validators.map(validatorJson))},\n  "records": ${lines(records.map(recordToJson))}\n}\n`;
}

function validatorJson({ blsPublicKey, multiaddrs, peerId, proofOfPossession }: GenesisValidator): object {
  return { peerId, blsPublicKey: toHex(blsPublicKey), proofOfPossession: toHex(proofOfPossession), multiaddrs };
}

/** Every record of a genesis is an import, so its kind and origin go without saying. */
function recordToJson({ kind: _kind, origin: _origin, isLlmServer, ...record }: NodeRecord): object {
  return {
    ...record,
    ...(isLlmServer ? { isLlmServer } : {}),
    closedUptimeNs: record.closedUptimeNs.toString(),
    workerTimeoutNs: record.workerTimeoutNs?.toString() ?? null,
  };
}

function checkPeer(peerId: string, multiaddrs: readonly string[]): Result<void> {
  const identity = parsePeerId(peerId);
  if (!identity.ok) return identity;
  if (identity.value.peerId !== peerId) return malformed(peerId, 'the peer id is not in its canonical form');
  const normal = normaliseAddresses(peerId, multiaddrs);
  if (!normal.ok) return normal;
  const isNormal = normal.value.length === multiaddrs.length && normal.value.every((text, i) => text === multiaddrs[i]);
  return isNormal ? ok(undefined) : malformed(peerId, 'the addresses are not normalised and sorted');
}

function checkRecord(record: NodeRecord, genesis: Pick<Genesis, 'parameters' | 'timestamp'>): Result<void> {
  // Times never go back: the first event of such a node would break its record's invariants, on every replica.
  if (record.lastUpdated > genesis.timestamp) return malformed(record.peerId, 'the record is newer than the genesis');
  if (record.isLlmServer && genesis.parameters.eventSchema < 2) {
    return malformed(record.peerId, 'isLlmServer is of event schema 2, and the chain begins with schema 1');
  }
  if (!nodeEntryCodec.decode(nodeEntryCodec.encode(record)).ok) return malformed(record.peerId, 'not a record');
  try {
    checkRecordInvariants(record);
    return ok(undefined);
  } catch (error) {
    // Elsewhere a broken invariant is our own bug; here it is a file that someone edited.
    return malformed(record.peerId, error instanceof AssertionError ? error.message : 'not a record');
  }
}

function repeatedPeerId(items: readonly { readonly peerId: string }[]): string | undefined {
  const seen = new Set<string>();
  for (const { peerId } of items) {
    if (seen.has(peerId)) return peerId;
    seen.add(peerId);
  }
  return undefined;
}

function malformed(place: string, reason: string): Refused {
  return refuse('genesis-malformed', `the genesis is not valid${place === '' ? '' : ` at ${place}`}: ${reason}`, {
    place,
    reason,
  });
}
