import { beforeAll, describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { unwrap, type Result } from '../../src/base/result.ts';
import { ZERO_HASH } from '../../src/base/hash.ts';
import { makeBlock, type Block } from '../../src/ledger/block.ts';
import { encodeCommitProof } from '../../src/ledger/commit-proof.ts';
import { nodeEntryCodec } from '../../src/ledger/record.ts';
import { StateTree } from '../../src/ledger/state-tree.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { trustGenesis, type TrustedChain } from '../../src/ledger/trusted-chain.ts';
import { VALIDATORS_KEY, validatorListCodec } from '../../src/ledger/validators.ts';
import {
  checkConsistent,
  claimedPosition,
  encodeReadAnswer,
  verifyRead,
  verifyStateRead,
  type ReadAnswer,
  type ReaderTrust,
  type ReadOptions,
  type VerifiedRead,
} from '../../src/ledger/verified-read.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { encodeValidatorSet, makeValidatorSet } from '../../src/qc/validator-set.ts';
import { votePreimage } from '../../src/qc/ballot.ts';
import { secretKey } from '../qc/validators.ts';
import { genesisValidator, SealedChain } from './chain.ts';
import { codeOf, peerOf, START } from './nodes.ts';
import { Cluster, Replica } from './raft-cluster.ts';

const PRESENT = peerOf(1);
const ABSENT = peerOf(77);
const NOW_MS = START * 1000;

let chain: SealedChain;
let trusted: TrustedChain;

beforeAll(() => {
  chain = new SealedChain();
  for (let node = 1; node <= 20; node++) chain.commit([chain.join(node)]);
  trusted = unwrap(trustGenesis(chain.genesis, nativeScheme));
});

function answerAt(peerId: string, height: number, key = nodeKey(peerId)): ReadAnswer {
  const { proof, value } = unwrap(chain.machine.proveAt(height, key));
  const { block, seal } = chain.sealedAt(height);
  return { value: value ?? null, proof, header: block.headerBytes, seal, epochProofs: [], headStatements: [] };
}

function headAnswer(
  peerId: string,
  statements: readonly (readonly [signer: number, nowMs: number])[] = [],
): ReadAnswer {
  const headStatements = statements.map(([signer, nowMs]) => chain.headStatement(signer, nowMs));
  return { ...answerAt(peerId, chain.machine.head.height), headStatements };
}

function read(
  answer: ReadAnswer | Uint8Array,
  peerId = PRESENT,
  options: Partial<ReadOptions> = {},
): Result<VerifiedRead> {
  const bytes = answer instanceof Uint8Array ? answer : encodeReadAnswer(answer);
  return verifyRead(bytes, trusted, { peerId, scheme: nativeScheme, nowMs: NOW_MS, ...options });
}

describe('a verified read', () => {
  test('of a record names the record, its block and those who certified it', () => {
    const verified = unwrap(read(headAnswer(PRESENT)));
    expect(verified).toMatchObject({
      peerId: PRESENT,
      record: { kind: 'record', peerId: PRESENT, firstJoined: START },
      epoch: 0,
      height: 20,
      blockId: chain.head.id,
      stateRoot: chain.machine.head.stateRoot,
      timestamp: START,
      ageMs: null,
      trust: 'quorum',
    });
    expect(verified.signers).toEqual([0, 1, 2].map((signer) => chain.validators.member(signer).peerId));
  });

  test('of a node that never joined proves that there is no record', () => {
    expect(unwrap(read(headAnswer(ABSENT), ABSENT))).toMatchObject({ peerId: ABSENT, record: null, height: 20 });
  });

  test('of an older height proves what was there then', () => {
    expect(unwrap(read(answerAt(peerOf(9), 8), peerOf(9))).record).toBeNull();
    expect(unwrap(read(answerAt(peerOf(9), 9), peerOf(9)))).toMatchObject({ height: 9, record: { kind: 'record' } });
  });

  test('at the genesis block needs no certificate, as genesis is what the reader trusts', () => {
    expect(unwrap(read(answerAt(PRESENT, 0)))).toMatchObject({
      record: null,
      height: 0,
      signers: [],
      trust: 'genesis',
    });
  });

  test('of any key of the state works the same way: the validators and where to reach them', () => {
    const bytes = encodeReadAnswer(answerAt('', 20, VALIDATORS_KEY));
    const options = { key: VALIDATORS_KEY, scheme: nativeScheme, nowMs: NOW_MS };
    const state = unwrap(verifyStateRead(bytes, trusted, options));
    const list = unwrap(validatorListCodec.decode(state.value as Uint8Array));
    expect(list.validators.map(({ peerId }) => peerId)).toEqual(trusted.validators.members.map(({ peerId }) => peerId));
  });

  test('of a block that was committed through its descendants walks their headers', () => {
    const middle = blockAfter(chain.head, 'middle');
    const named = blockAfter(middle, 'named');
    const certificate = chain.certificateNaming(named);
    const seal = (descendants: readonly Uint8Array[]): ReadAnswer => ({
      ...headAnswer(PRESENT),
      seal: { kind: 'hotstuff', bytes: encodeCommitProof({ certificate, descendants }) },
    });
    expect(unwrap(read(seal([named.headerBytes, middle.headerBytes])))).toMatchObject({ height: 20 });
    expect(codeOf(read(seal([middle.headerBytes, named.headerBytes])))).toBe('seal-chain-broken');
    expect(codeOf(read(seal([named.headerBytes])))).toBe('seal-names-another-block');
    expect(codeOf(read(seal([])))).toBe('seal-names-another-block');
  });

  test('canonicalises the peer id itself, and refuses what is none', () => {
    expect(codeOf(read(headAnswer(PRESENT), 'not a peer id'))).toBe('peer-id-invalid');
  });
});

function blockAfter({ header, id }: Block, proposer: string): Block {
  return makeBlock({ ...header, round: header.round + 1, height: header.height + 1, parentId: id, proposer }, []);
}

function answerThroughDescendant(): ReadAnswer {
  const named = blockAfter(chain.head, 'named');
  const proof = { certificate: chain.certificateNaming(named), descendants: [named.headerBytes] };
  return { ...headAnswer(PRESENT), seal: { kind: 'hotstuff', bytes: encodeCommitProof(proof) } };
}

describe('the age of a read', () => {
  test('is that of the oldest of the f + 1 newest statements', () => {
    const answer = headAnswer(PRESENT, [
      [0, NOW_MS - 9_000],
      [1, NOW_MS - 3_000],
      [3, NOW_MS - 1_000],
    ]);
    expect(unwrap(read(answer)).ageMs).toBe(3_000);
    expect(unwrap(read(answer, PRESENT, { maxAgeMs: 3_000 })).ageMs).toBe(3_000);
    expect(codeOf(read(answer, PRESENT, { maxAgeMs: 2_999 }))).toBe('too-old');
  });

  test('is unknown with too few statements, and unknown is older than any greatest age', () => {
    const answer = headAnswer(PRESENT, [[2, NOW_MS]]);
    expect(unwrap(read(answer)).ageMs).toBeNull();
    expect(codeOf(read(answer, PRESENT, { maxAgeMs: 1e12 }))).toBe('age-unknown');
    expect(codeOf(read(headAnswer(PRESENT), PRESENT, { maxAgeMs: 1e12 }))).toBe('age-unknown');
  });

  test('a validator whose clock is ahead cannot make a head young', () => {
    const answer = headAnswer(PRESENT, [
      [0, NOW_MS + 3_600_000],
      [1, NOW_MS - 50_000],
      [2, NOW_MS - 60_000],
    ]);
    expect(unwrap(read(answer)).ageMs).toBe(60_000);
    const slightly = headAnswer(PRESENT, [
      [0, NOW_MS + 4_000],
      [1, NOW_MS + 1_000],
    ]);
    expect(unwrap(read(slightly)).ageMs).toBe(0);
  });

  test('one validator counts once, and in its place', () => {
    const twice = headAnswer(PRESENT, [
      [1, NOW_MS],
      [1, NOW_MS - 1],
    ]);
    expect(codeOf(read(twice))).toBe('head-statements-unordered');
    const swapped = headAnswer(PRESENT, [
      [2, NOW_MS],
      [1, NOW_MS],
    ]);
    expect(codeOf(read(swapped))).toBe('head-statements-unordered');
  });

  test('is known from statements of earlier heads too: what came later was committed after them', () => {
    const earlier = [0, 1].map((signer) => chain.headStatement(signer, NOW_MS - 700, chain.sealedAt(15).block));
    expect(unwrap(read({ ...answerAt(PRESENT, 19), headStatements: earlier })).ageMs).toBe(700);
  });

  test('a statement about a later block, or another one at this height, says nothing about this one', () => {
    const later = { ...answerAt(PRESENT, 19), headStatements: [chain.headStatement(0, NOW_MS)] };
    expect(codeOf(read(later))).toBe('head-statement-of-later-block');
    const { header } = chain.head;
    const rival = chain.headStatement(0, NOW_MS, { header, id: ZERO_HASH });
    expect(codeOf(read({ ...headAnswer(PRESENT), headStatements: [rival] }))).toBe('head-statement-of-another-block');
  });

  test('a statement with a false signature refuses the answer, even where it is not needed', () => {
    const forged = { ...chain.headStatement(2, NOW_MS), signature: chain.headStatement(0, NOW_MS).signature };
    const headStatements = [chain.headStatement(0, NOW_MS), chain.headStatement(1, NOW_MS), forged];
    expect(codeOf(read({ ...headAnswer(PRESENT), headStatements }))).toBe('head-statement-invalid');
  });
});

describe('an answer that lies', () => {
  test('about another node, or hiding a record, or inventing one, does not fit its proof', () => {
    const other = headAnswer(peerOf(2));
    expect(codeOf(read(other))).toMatch(/^proof-/);
    expect(codeOf(read({ ...headAnswer(PRESENT), value: null }))).toBe('proof-mismatch');
    expect(codeOf(read({ ...headAnswer(ABSENT), value: Uint8Array.of(1) }, ABSENT))).toMatch(/^proof-/);
  });

  test('with a state of its own needs a certificate of its own', () => {
    const forger = new SealedChain();
    forger.commit([forger.join(1, { version: 'v9.9.9' })]);
    const { block } = forger.sealedAt(1);
    const { proof, value = null } = unwrap(forger.machine.proveAt(1, nodeKey(PRESENT)));
    const forged = { ...headAnswer(PRESENT), value, proof };
    expect(codeOf(read({ ...forged, header: block.headerBytes }))).toBe('seal-names-another-block');
    const seal = {
      kind: 'hotstuff' as const,
      bytes: encodeCommitProof({ certificate: fakeCertificate(block), descendants: [] }),
    };
    expect(codeOf(read({ ...forged, header: block.headerBytes, seal }))).toBe('certificate-invalid');
  });

  test('with too few signers, or none, is refused', () => {
    const withSigners = (signers: readonly number[]): ReadAnswer => {
      const certificate = { ...chain.certificateNaming(chain.head), signers };
      const bytes = encodeCommitProof({ certificate, descendants: [] });
      return { ...headAnswer(PRESENT), seal: { kind: 'hotstuff', bytes } };
    };
    expect(codeOf(read(withSigners([0, 1])))).toBe('quorum-missing');
    expect(codeOf(read(withSigners([0, 1, 3])))).toBe('certificate-invalid');
    expect(codeOf(read(withSigners([0, 1, 9])))).toBe('signer-unknown');
  });

  test('with a certificate that commits nothing is refused, the genesis certificate too', () => {
    const certificate = chain.certificateNaming(chain.head);
    const bytes = encodeCommitProof({
      certificate: { ...certificate, vote: { ...certificate.vote, commit: null } },
      descendants: [],
    });
    expect(codeOf(read({ ...headAnswer(PRESENT), seal: { kind: 'hotstuff', bytes } }))).toBe('seal-commits-nothing');
  });

  test('with commit info that disagrees with the header that it names is refused', () => {
    const { head } = chain;
    const certificate = chain.certificateNaming({ ...head, header: { ...head.header, height: 21 } });
    const bytes = encodeCommitProof({ certificate, descendants: [] });
    const answer: ReadAnswer = { ...headAnswer(PRESENT), seal: { kind: 'hotstuff', bytes } };
    expect(codeOf(read(answer))).toBe('seal-names-another-block');
  });

  test('of another chain is refused, though its own validators certified it', () => {
    const elsewhere = new SealedChain({ validators: 5 });
    elsewhere.commit([elsewhere.join(1)]);
    const { block, seal } = elsewhere.sealedAt(1);
    const { proof, value = null } = unwrap(elsewhere.machine.proveAt(1, nodeKey(PRESENT)));
    const answer = { ...headAnswer(PRESENT), value, proof, header: block.headerBytes, seal };
    expect(codeOf(read(answer))).toBe('chain-id-mismatch');
  });

  test('with a seal that is none for this reader is refused', () => {
    const answer = headAnswer(PRESENT);
    const sealed = (kind: 'genesis' | 'raft', bytes = new Uint8Array(0)) => read({ ...answer, seal: { kind, bytes } });
    expect(codeOf(sealed('raft'))).toBe('trust-crash-only');
    expect(codeOf(sealed('genesis'))).toBe('not-the-genesis-block');
    expect(codeOf(sealed('genesis', Uint8Array.of(1)))).toBe('seal-malformed');
  });

  test.each([
    [
      'of a record, with head statements',
      () =>
        headAnswer(PRESENT, [
          [0, NOW_MS],
          [1, NOW_MS],
        ]),
      PRESENT,
    ],
    ['of no record', () => headAnswer(ABSENT), ABSENT],
    ['of a block with a descendant', () => answerThroughDescendant(), PRESENT],
  ] as const)('in any single byte is refused: none is without effect (%s)', (_what, makeAnswer, peerId) => {
    const bytes = encodeReadAnswer(makeAnswer());
    expect(codeOf(read(bytes, peerId))).toBe('applied');
    for (let i = 0; i < bytes.length; i++) {
      const altered = bytes.slice();
      altered[i] = (altered[i] as number) ^ (1 << (i % 8));
      expect(codeOf(read(altered, peerId)), `byte ${i} of ${bytes.length}`).not.toBe('applied');
    }
  });

  test('is refused when it is cut short or goes on', () => {
    const bytes = encodeReadAnswer(headAnswer(ABSENT));
    for (let length = 0; length < bytes.length; length += 7) {
      expect(codeOf(read(bytes.subarray(0, length), ABSENT))).not.toBe('applied');
    }
    expect(codeOf(read(Uint8Array.from([...bytes, 0]), ABSENT))).not.toBe('applied');
  });
});

function fakeCertificate(block: Block) {
  return { ...chain.certificateNaming(chain.head), vote: chain.certificateNaming(block).vote };
}

describe('epochs', () => {
  /** A certificate of epoch 0 that hands over to validators 10 to 13. */
  function handover() {
    const registrations = [10, 11, 12, 13].map(genesisValidator);
    const next = unwrap(makeValidatorSet(1, registrations, nativeScheme));
    const certificate = chain.certificateNaming({
      ...chain.head,
      header: { ...chain.head.header, nextValidatorSet: next.digest },
    });
    return { next, proof: { certificate, validators: encodeValidatorSet(next) } };
  }

  test('an answer of a later epoch is judged by its own validators, whom the epoch before certified', () => {
    const { next, proof } = handover();
    const { header } = chain.head;
    const block = makeBlock({ ...header, epoch: 1, round: 1, height: 21, parentId: ZERO_HASH }, []);
    const commit = { height: 21, round: 1, blockId: block.id, stateRoot: header.stateRoot, nextValidatorSet: null };
    const vote = { round: 2, blockId: ZERO_HASH, parentRound: 1, parentId: block.id, commit };
    const preimage = votePreimage({ chainId: chain.chainId, epoch: 1 }, vote);
    const numberOf = (signer: number) => [10, 11, 12, 13].find((n) => peerOf(1000 + n) === next.member(signer).peerId);
    const signatures = [0, 1, 2].map((signer) => nativeScheme.sign(secretKey(numberOf(signer) as number), preimage));
    const certificate = { epoch: 1, vote, signers: [0, 1, 2], signature: unwrap(nativeScheme.aggregate(signatures)) };
    const answer: ReadAnswer = {
      ...headAnswer(PRESENT),
      header: block.headerBytes,
      seal: { kind: 'hotstuff', bytes: encodeCommitProof({ certificate, descendants: [] }) },
    };
    expect(unwrap(read({ ...answer, epochProofs: [proof] }))).toMatchObject({ epoch: 1, height: 21 });
    expect(codeOf(read(answer))).toBe('epoch-unproven');
    expect(codeOf(read({ ...answer, epochProofs: [proof, proof] }))).toBe('epoch-unproven');
    const ofItself = { ...proof, validators: encodeValidatorSet(chain.validators) };
    expect(codeOf(read({ ...answer, epochProofs: [ofItself] }))).not.toBe('applied');
    const endsNothing = { ...proof, certificate: chain.certificateNaming(chain.head) };
    expect(codeOf(read({ ...answer, epochProofs: [endsNothing] }))).toBe('epoch-proof-invalid');
    const unsigned = { ...proof, certificate: { ...proof.certificate, signers: [0, 1, 3] } };
    expect(codeOf(read({ ...answer, epochProofs: [unsigned] }))).toBe('certificate-invalid');
    const pinned = { ...trusted, validators: next };
    const options = { peerId: PRESENT, scheme: nativeScheme, nowMs: NOW_MS };
    expect(unwrap(verifyRead(encodeReadAnswer(answer), pinned, options)).epoch).toBe(1);
    expect(codeOf(verifyRead(encodeReadAnswer(headAnswer(PRESENT)), pinned, options))).toBe('epoch-behind');
  });

  test('superfluous epoch proofs are refused', () => {
    expect(codeOf(read({ ...headAnswer(PRESENT), epochProofs: [handover().proof] }))).toBe('epoch-unproven');
  });
});

describe('a record that a quorum agreed on', () => {
  /** An answer that is right in every part, about a state that no correct program makes. */
  function answerWith(value: Uint8Array): ReadAnswer {
    const tree = new StateTree();
    const version = tree.update(tree.empty, [{ key: nodeKey(PRESENT), value }]);
    const block = makeBlock({ ...chain.head.header, stateRoot: version.root }, []);
    const answer = headAnswer(PRESENT);
    return {
      ...answer,
      value,
      proof: tree.prove(version, nodeKey(PRESENT)),
      header: block.headerBytes,
      seal: chain.seal(block),
    };
  }

  test('and that this program cannot read, or that names another peer, is refused all the same', () => {
    expect(codeOf(read(answerWith(utf8('of a later version'))))).toBe('record-undecodable');
    const { value } = headAnswer(peerOf(2));
    expect(codeOf(read(answerWith(value as Uint8Array)))).toBe('record-of-another-peer');
  });

  test('and then removed reads as no record', () => {
    const absent = { kind: 'absent' as const, peerId: PRESENT, lastSeq: 7, lastEventId: ZERO_HASH };
    expect(unwrap(read(answerWith(nodeEntryCodec.encode(absent)))).record).toBeNull();
  });
});

describe('around a verified read', () => {
  test('what an answer claims can be compared without verifying it', () => {
    const bytes = encodeReadAnswer(headAnswer(PRESENT));
    expect(unwrap(claimedPosition(bytes))).toMatchObject({ epoch: 0, height: 20 });
    expect(codeOf(claimedPosition(bytes.subarray(1)))).not.toBe('applied');
  });

  test('two reads that name different blocks at one height stop the reader', () => {
    const one = unwrap(read(headAnswer(PRESENT)));
    expect(codeOf(checkConsistent(one, one))).toBe('applied');
    expect(codeOf(checkConsistent(one, { ...one, height: 21, blockId: ZERO_HASH }))).toBe('applied');
    expect(codeOf(checkConsistent(one, { ...one, blockId: ZERO_HASH }))).toBe('conflicting-certificates');
  });

  test('a genesis whose validators do not prove their keys is not trusted', () => {
    const { blsPublicKey } = genesisValidator(7);
    const validators = chain.genesis.validators.map((validator, i) =>
      i === 0 ? { ...validator, blsPublicKey } : validator,
    );
    const genesis = { ...chain.genesis, validators };
    expect(codeOf(trustGenesis(genesis, nativeScheme))).toBe('possession-unproven');
  });
});

describe('an answer of a Raft epoch', () => {
  const cluster = new Cluster();
  const replica = new Replica(cluster);
  replica.apply({ index: 11, term: 2 }, cluster.command(cluster.join(1)));

  function answerOf(peerId: string, changed: Partial<ReadAnswer> = {}): Uint8Array {
    const { block, proof, seal, value } = replica.proven(nodeKey(peerId));
    const answer = { value, proof, header: block.headerBytes, seal, epochProofs: [], headStatements: [], ...changed };
    return encodeReadAnswer(answer);
  }

  const readOf = (peerId: string, bytes: Uint8Array, trust?: ReaderTrust, more: Partial<ReadOptions> = {}) => {
    const options = { peerId, scheme: nativeScheme, nowMs: START * 1000, ...(trust === undefined ? {} : { trust }) };
    return verifyRead(bytes, unwrap(trustGenesis(cluster.genesis, nativeScheme)), { ...options, ...more });
  };

  test('is the word of its server, and says so to whoever asks for no more', () => {
    const read = unwrap(readOf(PRESENT, answerOf(PRESENT), 'crash-only'));
    expect(read).toMatchObject({
      trust: 'crash-only',
      signers: [],
      height: 1,
      ageMs: null,
      record: { origin: 'event' },
    });
    expect(unwrap(readOf(ABSENT, answerOf(ABSENT), 'crash-only'))).toMatchObject({ record: null, trust: 'crash-only' });
  });

  test('is refused by a reader that believes a quorum alone, which is every reader that does not say otherwise', () => {
    expect(codeOf(readOf(PRESENT, answerOf(PRESENT)))).toBe('trust-crash-only');
    expect(codeOf(readOf(PRESENT, answerOf(PRESENT), 'byzantine'))).toBe('trust-crash-only');
  });

  test('that was asked for as a linearizable one is as old as the question', () => {
    const asked = { linearizableSinceMs: START * 1000 - 300 };
    expect(unwrap(readOf(PRESENT, answerOf(PRESENT), 'crash-only', asked)).ageMs).toBe(300);
    expect(unwrap(readOf(PRESENT, answerOf(PRESENT), 'crash-only', { ...asked, maxAgeMs: 300 })).ageMs).toBe(300);
    expect(codeOf(readOf(PRESENT, answerOf(PRESENT), 'crash-only', { ...asked, maxAgeMs: 299 }))).toBe('too-old');
    expect(codeOf(readOf(PRESENT, answerOf(PRESENT), 'crash-only', { maxAgeMs: 300 }))).toBe('age-unknown');
  });

  test('must fit its own header all the same', () => {
    const { seal, value } = replica.proven(nodeKey(PRESENT));
    const other = new Replica(cluster);
    other.apply({ index: 12, term: 2 }, cluster.command(cluster.join(1)));
    const elsewhere = { ...other.proven(nodeKey(PRESENT)).seal };
    expect(codeOf(readOf(PRESENT, answerOf(PRESENT, { seal: elsewhere }), 'crash-only'))).toBe('raft-seal-mismatch');
    expect(
      codeOf(readOf(PRESENT, answerOf(PRESENT, { seal: { ...seal, bytes: new Uint8Array(3) } }), 'crash-only')),
    ).toBe('undecodable');
    const forged = Uint8Array.from(value ?? [], (byte, place) => (place === 20 ? byte ^ 1 : byte));
    expect(codeOf(readOf(PRESENT, answerOf(PRESENT, { value: forged }), 'crash-only'))).toBe('proof-mismatch');
  });

  test('does not make a reader of HotStuff epochs any softer', () => {
    const { header } = chain.head;
    expect(header.round).not.toBe(0);
    const hotstuff = unwrap(readOf(PRESENT, encodeReadAnswer(headAnswer(PRESENT)), 'crash-only'));
    expect(hotstuff.trust).toBe('quorum');
    const asked = { linearizableSinceMs: START * 1000, maxAgeMs: 60_000 };
    expect(codeOf(readOf(PRESENT, encodeReadAnswer(headAnswer(PRESENT)), 'crash-only', asked))).toBe('age-unknown');
    const certificate = { ...chain.certificateNaming(chain.head), signers: [0, 1] };
    const bytes = encodeCommitProof({ certificate, descendants: [] });
    const answer = { ...headAnswer(PRESENT), seal: { kind: 'hotstuff', bytes } } as const;
    expect(codeOf(readOf(PRESENT, encodeReadAnswer(answer), 'crash-only'))).toBe('quorum-missing');
  });
});
