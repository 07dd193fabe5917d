/** Each checker finds what it is for: fed with a violation it reports it, and with nothing wrong it does not. */
import { beforeEach, describe, expect, test } from 'vitest';
import { ZERO_HASH } from '../../src/base/hash.ts';
import { encodeCommitProof } from '../../src/ledger/commit-proof.ts';
import { makeBlock, type Block, type SealedBlock } from '../../src/ledger/block.ts';
import { evidenceOps } from '../../src/ledger/block-log.ts';
import type { NodeRecord } from '../../src/ledger/record.ts';
import { firstSafetyRecord, type SafetyRecord } from '../../src/hotstuff/safety-record.ts';
import type { HotstuffMessage } from '../../src/hotstuff/messages.ts';
import { timeoutPreimage, votePreimage, type VoteData } from '../../src/qc/ballot.ts';
import type { QuorumCertificate } from '../../src/qc/certificate.ts';
import { AcknowledgementChecker } from './checkers/acknowledgements.ts';
import { BallotChecker } from './checkers/ballots.ts';
import { BoundsChecker } from './checkers/bounds.ts';
import { CertificateChecker } from './checkers/certificates.ts';
import { ChainChecker } from './checkers/chain.ts';
import { DurabilityChecker } from './checkers/durability.ts';
import { checkEvidence } from './checkers/evidence.ts';
import { brokenInvariantOf } from './checkers/records.ts';
import { type Violation } from './checkers/violation.ts';
import { SimulatedDisk } from './simulated-disk.ts';
import { SigningBook, simulatedChain } from './simulated-keys.ts';

const chain = simulatedChain(4, 2);
const binding = { chainId: chain.chainId, epoch: 0 };

let found: string[];
let book: SigningBook;
let certificates: CertificateChecker;
const report = ({ message }: Violation) => void found.push(message);

beforeEach(() => {
  found = [];
  book = new SigningBook(4);
  certificates = new CertificateChecker(chain, book, report);
});

function voteOf(round: number, block: Pick<Block, 'id'>, parent: Block, commit = false): VoteData {
  const { header } = parent;
  const named = { height: header.height, round: header.round, blockId: parent.id, stateRoot: header.stateRoot };
  return {
    round,
    blockId: block.id,
    parentRound: header.round,
    parentId: parent.id,
    commit: commit ? { ...named, nextValidatorSet: null } : null,
  };
}

function certificateOf(vote: VoteData, signers = [0, 1, 2], signed = signers): QuorumCertificate {
  for (const signer of signed) book.add(signer, votePreimage(binding, vote));
  return { epoch: 0, vote, signers, signature: new Uint8Array(96).fill(signers.length) };
}

function blockOn(parent: Block, round: number): Block {
  const { header } = parent;
  return makeBlock(
    {
      chainId: chain.chainId,
      epoch: 0,
      round,
      height: header.height + 1,
      parentId: parent.id,
      justifyDigest: ZERO_HASH,
      proposer: chain.validators.member(round % 4).peerId,
      timestamp: header.timestamp,
      stateRoot: header.stateRoot,
      nextValidatorSet: null,
    },
    [],
  );
}

function sealed(block: Block, certificate: QuorumCertificate): SealedBlock {
  return { block, seal: { kind: 'hotstuff', bytes: encodeCommitProof({ certificate, descendants: [] }) } };
}

describe('one chain', () => {
  const genesis = chain.state.block;
  const by = (id: number) => ({ id, blockAt: () => undefined });
  const one = blockOn(genesis, 1);
  const sealedOne = (block = one, round = 2) =>
    sealed(block, certificateOf(voteOf(round, { id: blockOn(block, round).id }, block, true)));

  test('is content with the same block from two validators', () => {
    const checker = new ChainChecker(chain, certificates, report);
    checker.committed(by(0), sealedOne());
    checker.committed(by(1), sealedOne());
    expect(found).toEqual([]);
    expect(checker.height).toBe(1);
  });

  test('finds two blocks at a height', () => {
    const checker = new ChainChecker(chain, certificates, report);
    checker.committed(by(0), sealedOne());
    checker.committed(by(1), sealedOne(blockOn(genesis, 5), 6));
    expect(found).toContain('all commit the same block at a height');
  });

  test('finds a hole in a log, a seal of no quorum, and a commit over rounds that do not follow each other', () => {
    new ChainChecker(chain, certificates, report).committed(by(0), sealedOne(blockOn(one, 2), 3));
    expect(found).toContain('a log has every block below its head');
    const vote = voteOf(2, { id: blockOn(one, 2).id }, one, true);
    new ChainChecker(chain, certificates, report).committed(by(0), sealed(one, certificateOf(vote, [0, 1])));
    expect(found).toContain('a certificate has a quorum of different signers');
    new ChainChecker(chain, certificates, report).committed(by(0), sealedOne(one, 4));
    expect(found).toContain('blocks of consecutive rounds commit');
  });

  test('finds a state root that executing again does not give', () => {
    const { version: _version, eventsRoot: _eventsRoot, ...header } = one.header;
    const wrong = makeBlock({ ...header, stateRoot: ZERO_HASH }, []);
    new ChainChecker(chain, certificates, report).committed(by(0), sealedOne(wrong));
    expect(found).toEqual(['executing the log again gives what it names']);
  });
});

describe('certificates', () => {
  const vote = voteOf(1, blockOn(chain.state.block, 1), chain.state.block);

  test('are good when a quorum has signed', () => {
    certificates.checkQuorum(certificateOf(vote), 0);
    expect(found).toEqual([]);
  });

  test('name somebody who has not signed, too few, or one twice', () => {
    certificates.checkQuorum(certificateOf(vote, [0, 1, 2], [0, 1]), 0);
    expect(found).toEqual(['a certificate names those who signed it']);
    certificates.checkQuorum(certificateOf(vote, [0, 1, 1]), 0);
    expect(found.at(-1)).toBe('a certificate has a quorum of different signers');
  });

  test('are for one vote a round', () => {
    certificates.checkQuorum(certificateOf(vote), 0);
    certificates.checkQuorum(certificateOf({ ...vote, blockId: ZERO_HASH }), 0);
    expect(found).toEqual(['at most one vote is certified in a round']);
  });

  test('of timeouts say the round that each signed, and carry the highest', () => {
    const highCertificate = certificateOf(vote);
    for (const signer of [0, 1, 2])
      book.add(signer, timeoutPreimage(binding, { round: 5, highRound: signer === 2 ? 1 : 0 }));
    const timeouts = {
      epoch: 0,
      round: 5,
      signers: [0, 1, 2],
      highRounds: [0, 0, 1],
      signature: new Uint8Array(96),
      highCertificate,
    };
    certificates.checkTimeout(timeouts, 0);
    expect(found).toEqual([]);
    certificates.checkTimeout({ ...timeouts, highRounds: [0, 0, 0] }, 0);
    expect(found).toEqual([
      'a timeout certificate names those who signed it',
      'a timeout certificate carries the highest certificate that was signed',
    ]);
  });
});

describe('ballots', () => {
  const first: SafetyRecord = firstSafetyRecord(chain.genesisCertificate);
  const vote = (round: number, blockId = chain.state.block.id): HotstuffMessage => ({
    kind: 'vote',
    epoch: 0,
    vote: { ...voteOf(round, { id: blockId }, chain.state.block), blockId },
    signature: new Uint8Array(96).fill(1),
  });
  const timeout = (round: number): HotstuffMessage => ({
    kind: 'timeout',
    epoch: 0,
    timeout: { round, highRound: 0 },
    highCertificate: chain.genesisCertificate,
    timeoutCertificate: null,
    signature: new Uint8Array(96).fill(2),
  });
  const disk = (record: SafetyRecord | undefined, holds = true, committedRound = 0) => ({
    safety: () => record,
    holdsBlock: () => holds,
    committedRound: () => committedRound,
  });
  const voted = (round: number): SafetyRecord => ({ ...first, lastVotedRound: round });
  const gaveUp = (round: number): SafetyRecord => {
    const stored = {
      timeout: { round, highRound: 0 },
      highCertificate: first.highCertificate,
      timeoutCertificate: null,
    };
    return { ...first, lastVotedRound: round, lastTimeout: stored };
  };

  test('are good when durable, and sent again as they were', () => {
    const checker = new BallotChecker(report);
    checker.sent(0, vote(1), disk(voted(1)));
    checker.sent(0, vote(1), disk(voted(1)));
    checker.sent(0, timeout(1), disk(gaveUp(1)));
    expect(found).toEqual([]);
  });

  test('need their block no more once a block of that round or a later one is committed', () => {
    const checker = new BallotChecker(report);
    checker.sent(0, vote(3), disk(voted(3), false, 3));
    expect(found).toEqual([]);
    checker.sent(0, vote(4), disk(voted(4), false, 3));
    expect(found).toEqual(['a block is durable before its vote is sent']);
  });

  test.each<[string, (checker: BallotChecker) => void]>([
    ['a vote is durable before it is sent', (checker) => checker.sent(0, vote(2), disk(voted(1)))],
    ['a vote is durable before it is sent', (checker) => checker.sent(0, vote(2), disk(undefined))],
    ['a timeout is durable before it is sent', (checker) => checker.sent(0, timeout(2), disk(voted(2)))],
    ['a block is durable before its vote is sent', (checker) => checker.sent(0, vote(1), disk(voted(1), false))],
    [
      'one vote a validator and round',
      (checker) => {
        checker.sent(0, vote(1), disk(voted(1)));
        checker.sent(0, vote(1, ZERO_HASH), disk(voted(1)));
      },
    ],
    [
      'no vote follows a timeout in its round',
      (checker) => {
        checker.sent(0, timeout(3), disk(gaveUp(3)));
        checker.sent(0, vote(3), disk(gaveUp(3)));
      },
    ],
    [
      'the last voted round of a validator never falls',
      (checker) => {
        checker.sent(0, vote(5), disk(voted(5)));
        checker.sent(0, vote(4), disk(voted(4)));
      },
    ],
    [
      'the lock of a validator never falls',
      (checker) => {
        checker.sent(0, vote(5), disk({ ...voted(5), lockedRound: 3 }));
        checker.sent(0, vote(6), disk({ ...voted(6), lockedRound: 2 }));
      },
    ],
  ])('%s', (message, act) => {
    act(new BallotChecker(report));
    expect(found).toContain(message);
  });
});

describe('ballots of a damaged disk', () => {
  const first = firstSafetyRecord(chain.genesisCertificate);
  const vote = (round: number, blockId = chain.state.block.id): HotstuffMessage => ({
    kind: 'vote',
    epoch: 0,
    vote: { ...voteOf(round, { id: blockId }, chain.state.block), blockId },
    signature: new Uint8Array(96),
  });
  const damaged = { isDamaged: true, safety: () => undefined, holdsBlock: () => false, committedRound: () => 0 };

  test('may have lost what they were durable by', () => {
    const checker = new BallotChecker(report);
    checker.sent(0, vote(1), damaged);
    expect(found).toEqual([]);
  });

  test('are as good as any others all the same', () => {
    const checker = new BallotChecker(report);
    checker.sent(0, vote(1), damaged);
    checker.sent(0, vote(1, ZERO_HASH), damaged);
    expect(found).toEqual(['one vote a validator and round']);
    const older = { ...damaged, safety: () => ({ ...first, lastVotedRound: 1 }) };
    checker.sent(0, vote(2), older);
    expect(found).toContain('a vote is durable before it is sent');
  });
});

test('acknowledgements: of what is not committed, not durable, or elsewhere', () => {
  const heights = new Map([[ZERO_HASH, 5]]);
  const checker = new AcknowledgementChecker((event) => heights.get(event), report);
  checker.acknowledge(0, ZERO_HASH, 5, 5);
  checker.acknowledge(0, ZERO_HASH, null, 9);
  checker.refused(0, ZERO_HASH, 'busy');
  expect(found).toEqual([]);
  checker.acknowledge(0, chain.state.block.id, 5, 5);
  checker.acknowledge(0, ZERO_HASH, 6, 6);
  checker.acknowledge(0, ZERO_HASH, 5, 4);
  checker.refused(0, ZERO_HASH, 'sequence-conflict');
  expect(found).toEqual([
    'an acknowledged event is committed',
    'an acknowledged event is where it was said to be',
    'an acknowledged event is durable',
    'a sender that keeps the order is never told that it broke it',
  ]);
});

test('durability: of what was told before it was safe, and of what is gone after a restart', () => {
  const checker = new DurabilityChecker(report);
  checker.told(0, 5, 5);
  checker.told(0, 4, 6);
  checker.started(0, 5);
  checker.started(1, 0);
  expect(found).toEqual([]);
  checker.told(0, 7, 6);
  checker.started(0, 6);
  expect(found).toEqual([
    'a block is durable before anybody is told of it',
    'what a validator told of is in its log after a restart',
  ]);
  checker.lost(0);
  checker.started(0, 0);
  expect(found).toHaveLength(2);
});

test('bounds: a queue that is longer than its bound', () => {
  const bounds = {
    inboxMessages: 1,
    inboxEvents: 1,
    mempoolEvents: 1,
    uncommittedBlocks: 2,
    waitingSubmissions: 3,
    verificationJobs: 4,
    exchanges: 5,
    writes: 6,
  };
  const checker = new BoundsChecker(bounds, report);
  checker.check(0, bounds);
  expect(found).toEqual([]);
  for (const name of Object.keys(bounds) as (keyof typeof bounds)[]) checker.check(0, { ...bounds, [name]: 7 });
  expect(found).toEqual(Object.keys(bounds).map(() => 'every queue stays within its bound'));
});

test('records: times out of order, and more uptime than time', () => {
  const record = {
    kind: 'record',
    activity: 'joined',
    firstJoined: 1,
    lastJoined: 2,
    lastHeard: 3,
    lastUpdated: 4,
    lastLeft: 0,
    closedUptimeNs: 0n,
  } as unknown as NodeRecord;
  expect(brokenInvariantOf(record)).toBeNull();
  expect(brokenInvariantOf({ ...record, lastHeard: 1 })).toMatch(/lastJoined <= lastHeard/);
  expect(brokenInvariantOf({ ...record, closedUptimeNs: 3_000_000_000n })).toMatch(/all sessions fit/);
});

test('evidence: against one who broke nothing', () => {
  const disk = new SimulatedDisk();
  disk.apply(evidenceOps(0, 2, new Uint8Array(8)), true);
  checkEvidence({ id: 0, disk }, (validator) => validator === 2, report);
  expect(found).toEqual([]);
  checkEvidence({ id: 0, disk }, () => false, report);
  expect(found).toEqual(['evidence is against who broke the rules']);
});
