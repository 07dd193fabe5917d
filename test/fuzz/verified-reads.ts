/** Verified reads under mutation: whatever is accepted says the truth, whichever part of the answer was changed. */
import { isDeepStrictEqual } from 'node:util';
import { utf8 } from '../../src/base/bytes.ts';
import { assert } from '../../src/base/assert.ts';
import { CodedError, ok, unwrap, type Result } from '../../src/base/result.ts';
import { parsePeerId } from '../../src/ledger/identity.ts';
import { nodeEntryCodec } from '../../src/ledger/record.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { trustGenesis } from '../../src/ledger/trusted-chain.ts';
import { verifyRead, type VerifiedRead } from '../../src/ledger/verified-read.ts';
import { recordRules, type RecordKey } from '../../src/net/record-rules.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import fc from 'fast-check';
import { lazily, ledger, NOW_MS, readAnswers, signers } from './corpus.ts';
import { checkCode } from './laws.ts';
import { pick } from './messagepack-mutations.ts';
import { mutantOf, mutationChoice } from './mutation.ts';
import { propertyTarget } from './target.ts';

const ANSWER_BYTES = 256 * 1024;

/** Statements are 1, 2 and 4 s old, and the age is that of the second newest: no answer can be shown to be younger. */
const LEAST_AGE_MS = 2_000;

const trusted = lazily(() => unwrap(trustGenesis(ledger().genesis, nativeScheme)));

function readOf(bytes: Uint8Array, peerId: string): Result<VerifiedRead> {
  return verifyRead(bytes, trusted(), { peerId, scheme: nativeScheme, nowMs: NOW_MS });
}

/** @throws AssertionError when the chain says otherwise */
function checkTrue(read: VerifiedRead, peerId: string): void {
  const { height } = read;
  const { block } = ledger().sealedAt(height);
  const held = unwrap(ledger().machine.proveAt(height, nodeKey(peerId))).value;
  const entry = held === undefined ? null : unwrap(nodeEntryCodec.decode(held));
  const record = entry?.kind === 'record' ? entry : null;
  const { id, header } = block;
  assert(read.peerId === peerId, 'a read is about the peer that was asked for', { peerId });
  assert(isDeepStrictEqual(read.record, record), 'a read gives the record that the chain holds', { peerId, height });
  assert(read.blockId === id && read.stateRoot === header.stateRoot, 'a read names its block', { height });
  assert(read.timestamp === header.timestamp && read.epoch === 0, 'a read names the time of its block', { height });
  assert(read.ageMs === null || read.ageMs >= LEAST_AGE_MS, 'no read looks younger than it is', { age: read.ageMs });
  const distinct = new Set(read.signers).size;
  assert(height === 0 ? read.trust === 'genesis' : distinct >= ledger().validators.quorum, 'a quorum signed', {
    height,
    distinct,
  });
}

export const verifiedReads = propertyTarget('verified read', 1000, mutationChoice, (choice) => {
  const answers = readAnswers();
  const samples = answers.map(({ bytes }) => bytes);
  const { bytes } = mutantOf(samples, choice, 'messagepack', ANSWER_BYTES);
  const { peerId } = pick(answers, choice.first);
  const before = bytes.slice();
  const read = readOf(bytes, peerId);
  assert(Buffer.compare(before, bytes) === 0, 'the answer is not changed', {});
  if (read.ok) checkTrue(read.value, peerId);
  else checkCode(read.refusal.code, bytes);
  return read.ok;
});

const KEYS = lazily(() => [...signers.map(({ peerId }) => utf8(`/db/${peerId}`)), utf8('/masa/validators')]);

/** Through the rules by which a node keeps what others put into the DHT. */
export const dhtRecords = propertyTarget(
  'DHT record',
  1000,
  fc.tuple(mutationChoice, mutationChoice, fc.boolean()),
  async ([keyChoice, choice, keyIsWhole]) => {
    const samples = readAnswers().map(({ bytes }) => bytes);
    const value = mutantOf(samples, choice, 'messagepack', ANSWER_BYTES).bytes;
    const ownKey = utf8(`/db/${pick(readAnswers(), choice.first).peerId}`);
    const key = keyIsWhole ? ownKey : mutantOf(KEYS(), keyChoice, 'bytes', 100).bytes;
    const heights = new Map<string, number>();
    const rules = recordRules({
      check: (about, bytes) => heightOf(about, bytes),
      heights: { get: (name) => heights.get(name), put: async (name, height) => void heights.set(name, height) },
    });
    try {
      await rules.validators['db']?.(key, value);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      checkCode(error.code, value);
      return false;
    }
    assert(heights.size === 1, 'what is taken is remembered by its height', { heights: heights.size });
    return true;
  },
);

function heightOf(about: RecordKey, value: Uint8Array): Result<number> {
  const peerId = about.kind === 'node' ? about.peerId : (signers[0]?.peerId ?? '');
  const identity = parsePeerId(peerId);
  const read = readOf(value, peerId);
  if (!read.ok || !identity.ok) return read.ok ? (identity as Result<never>) : read;
  checkTrue(read.value, identity.value.peerId);
  return ok(read.value.height);
}
