/**
 * The operator's list of the cluster: who belongs to it, for servers that the log does not tell. A blank one has no log
 * yet, and one that was away while all others were replaced knows only those who have left. It is signed, so that it may
 * travel any way, and has a number that grows, so that an old one takes nobody back in.
 *
 *     {"version": 3, "history": "9f2c..." or null, "servers": [{"id": "...", "address": "host:port"}],
 *      "signer": "<peer id>", "signature": "<base64>"}
 */
import { readFile, rename, open } from 'node:fs/promises';
import canonicalize from 'canonicalize';
import { z } from 'zod';
import { assert } from '../../base/assert.ts';
import { concatBytes, utf8 } from '../../base/bytes.ts';
import { fromBase64, toBase64 } from '../../base/base64.ts';
import type { Hash } from '../../base/hash.ts';
import { codedError, ok, refuse, unwrap, type Result } from '../../base/result.ts';
import { parsePeerId } from '../../ledger/identity.ts';
import type { KnownServer } from '../../raft/sender.ts';
import type { IdentityKey } from '../keys.ts';
import { verifyNative } from '../signature-native.ts';

export interface ClusterList {
  /** Grows with each change. */
  readonly version: number;
  /** The history that these servers are of (`raft/history.ts`); null where it is not said. */
  readonly history: Hash | null;
  readonly servers: readonly KnownServer[];
}

export interface SignedClusterList extends ClusterList {
  /** Peer id of the operator's key. */
  readonly signer: string;
  readonly signature: string;
}

const MAX_SERVERS = 1024;
const MAX_NAME_LENGTH = 512;
const MAX_FILE_BYTES = 1 << 20;
const TAG = utf8('hotledger/raft-cluster-list/1\n');

const name = z.string().min(1).max(MAX_NAME_LENGTH);
const signedList = z.strictObject({
  version: z.int().min(1),
  history: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  servers: z.array(z.strictObject({ id: name, address: name })).max(MAX_SERVERS),
  signer: z.string().max(128),
  signature: z.string().max(128),
});

export function signClusterList(list: ClusterList, key: Pick<IdentityKey, 'peerId' | 'sign'>): SignedClusterList {
  const { history, servers, version } = list;
  const plain = { version, history, servers: servers.map(({ address, id }) => ({ id, address })) };
  return { ...plain, signer: key.peerId, signature: toBase64(key.sign(preimageOf(plain))) };
}

/** What a list says, whoever signed it. Refusal: `raft-list-malformed`. */
export function parseClusterList(value: unknown): Result<SignedClusterList> {
  const parsed = signedList.safeParse(value);
  if (parsed.success) return ok({ ...parsed.data, history: parsed.data.history as Hash | null });
  const [issue] = parsed.error.issues;
  const at = issue?.path.join('.') ?? '';
  return refuse('raft-list-malformed', `the list of the cluster is malformed at "${at}"`, { at });
}

/**
 * @param operators peer ids of the keys that may sign
 * Refusals: `raft-list-malformed`, `raft-list-signer`, `raft-list-signature`
 */
export async function verifyClusterList(
  value: unknown,
  operators: readonly string[],
): Promise<Result<SignedClusterList>> {
  const parsed = parseClusterList(value);
  if (!parsed.ok) return parsed;
  const { signature, signer, ...plain } = parsed.value;
  if (!operators.includes(signer)) {
    return refuse('raft-list-signer', 'the list of the cluster is signed by nobody who may', { signer });
  }
  const identity = parsePeerId(signer);
  const bytes = fromBase64(signature);
  const isSigned = identity.ok && bytes !== undefined && (await verifyNative(identity.value, preimageOf(plain), bytes));
  if (!isSigned) return refuse('raft-list-signature', 'the signature of the list does not hold', { signer });
  return ok({ ...plain, signer, signature });
}

/** The list of a running server, in a file of its own. */
export class ClusterListFile {
  readonly #path: string;
  readonly #operators: readonly string[];
  #list: SignedClusterList | null;

  private constructor(path: string, operators: readonly string[], list: SignedClusterList | null) {
    this.#path = path;
    this.#operators = operators;
    this.#list = list;
  }

  /** @throws CodedError those of `verifyClusterList`, also where the file is no JSON */
  static async open(path: string, operators: readonly string[]): Promise<ClusterListFile> {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (text === null) return new ClusterListFile(path, operators, null);
    const list = unwrap(await verifyClusterList(parsedJson(text), operators));
    return new ClusterListFile(path, operators, list);
  }

  get list(): SignedClusterList | null {
    return this.#list;
  }

  /** Refusals: those of `verifyClusterList`, `raft-list-older`. */
  async replace(value: unknown): Promise<Result<SignedClusterList>> {
    const verified = await verifyClusterList(value, this.#operators);
    if (!verified.ok) return verified;
    const { version } = verified.value;
    const present = this.#list?.version ?? 0;
    if (version < present) {
      return refuse('raft-list-older', 'a newer list of the cluster is here already', { version, present });
    }
    await writeDurably(this.#path, `${JSON.stringify(verified.value, null, 2)}\n`);
    this.#list = verified.value;
    return verified;
  }
}

function preimageOf({ history, servers, version }: ClusterList): Uint8Array {
  const text = canonicalize({ version, history, servers: servers.map(({ address, id }) => ({ id, address })) });
  assert(text !== undefined, 'a list has a canonical form');
  return concatBytes(TAG, utf8(text));
}

function parsedJson(text: string): unknown {
  if (text.length > MAX_FILE_BYTES) throw codedError('raft-list-malformed', 'the list of the cluster is too long');
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw codedError('raft-list-malformed', 'the list of the cluster is no JSON', {}, { cause: error });
  }
}

/** All of the new one or all of the old one. */
async function writeDurably(path: string, text: string): Promise<void> {
  const part = `${path}.part`;
  const file = await open(part, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, path);
}
