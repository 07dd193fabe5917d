/** The captured messages (`test/raft/vectors`). */
import { readFileSync } from 'node:fs';
import { fromHex } from '../../../src/base/bytes.ts';
import { DEFAULT_DIALECT, type Dialect } from '../../../src/raft/wire/dialect.ts';

export interface RpcVector {
  readonly lib: string;
  readonly name: string;
  readonly request: string;
  readonly requestDecoded?: Readonly<Record<string, unknown>>;
  readonly response: string;
  readonly responseDecoded: Readonly<Record<string, unknown>> | null;
  readonly streamedBytesAfterRequest?: number;
  readonly connectionClosedByGo?: boolean;
}

interface CodecVector {
  readonly kind: string;
  readonly lib: string;
  readonly name: string;
  readonly hex: string;
  readonly result?: string;
}

interface ErrorVector {
  readonly lib: string;
  readonly name: string;
  readonly request: string;
  readonly response: string;
  readonly closedByPeer: boolean;
}

function read(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8'));
}

const vectors = read('vectors.json') as { readonly rpc: readonly RpcVector[]; readonly codec: readonly CodecVector[] };

/** What Go nodes sent each other. */
export const captured = vectors.rpc.filter(({ requestDecoded }) => requestDecoded !== undefined);
/** Requests made by hand, with Go's answers. */
export const crafted = vectors.rpc.filter(({ requestDecoded }) => requestDecoded === undefined);
export const codecVectors = vectors.codec;
export const errorVectors = read('errors.json') as readonly ErrorVector[];

export function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  if (bytes === undefined) throw new TypeError(`not hexadecimal: ${hex}`);
  return bytes;
}

/** As the library wrote. */
export function dialectOf(lib: string): Dialect {
  const isNew = lib.includes('1.7.3');
  return {
    ...DEFAULT_DIALECT,
    header: isNew ? 'id-and-address' : 'none',
    appendedAt: isNew ? 'kept' : 'none',
    signedSize: isNew,
    preVote: isNew,
  };
}
