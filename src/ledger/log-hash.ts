/**
 * The log hash: what the state since BASE is a function of, in one digest that every block covers (`justifyDigest`).
 *
 *     first = H(chain id, index, term, state root)                           at BASE
 *     next  = H(previous, controls, index, term, SHA-256(command data))      at each command after it
 *     controls = H(controls before, index, term, SHA-256(no-op data))        at each no-op with data between two commands
 *
 * So two replicas with one log hash applied the same commands, at the same places, under the same control records.
 * Elections and configurations are not in it: no state depends on them.
 */
import { utf8 } from '../base/bytes.ts';
import { codec, hash, struct, text, uint } from '../base/codec.ts';
import { taggedHash, ZERO_HASH, type Hash } from '../base/hash.ts';

/** Where an entry is in the log. */
export interface LogPosition {
  readonly index: number;
  readonly term: number;
}

/** No control record since the last command. */
export const NO_CONTROLS: Hash = ZERO_HASH;

interface FirstPreimage extends LogPosition {
  readonly chainId: string;
  readonly stateRoot: Hash;
}

interface ControlPreimage extends LogPosition {
  readonly controls: Hash;
  readonly data: Hash;
}

interface NextPreimage extends ControlPreimage {
  readonly previous: Hash;
}

const firstCodec = codec(
  struct<FirstPreimage>({ chainId: text(64), index: uint(), term: uint(), stateRoot: hash }),
  256,
);
const controlCodec = codec(struct<ControlPreimage>({ controls: hash, index: uint(), term: uint(), data: hash }), 256);
const nextCodec = codec(
  struct<NextPreimage>({ previous: hash, controls: hash, index: uint(), term: uint(), data: hash }),
  256,
);

const FIRST = utf8('hotledger/raft-base/1\n');
const CONTROL = utf8('hotledger/raft-control/1\n');
const NEXT = utf8('hotledger/raft-log/1\n');

export function firstLogHash(base: FirstPreimage): Hash {
  return taggedHash(FIRST, firstCodec.encode(base));
}

/** @param entry `data`: SHA-256 of the command's data */
export function nextLogHash(entry: NextPreimage): Hash {
  return taggedHash(NEXT, nextCodec.encode(entry));
}

/** @param entry `data`: SHA-256 of the no-op's data */
export function nextControls(entry: ControlPreimage): Hash {
  return taggedHash(CONTROL, controlCodec.encode(entry));
}
