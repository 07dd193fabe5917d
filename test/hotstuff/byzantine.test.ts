import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { sha256Hex } from '../../src/base/hash.ts';
import type { HotstuffMessage, VoteMessage } from '../../src/hotstuff/messages.ts';
import { makeBlock, type Block } from '../../src/ledger/block.ts';
import { certificateDigest, type QuorumCertificate } from '../../src/qc/certificate.ts';
import { evidenceCodec, verifyEvidence } from '../../src/qc/evidence.ts';
import { identitySignature, joinOf, START, type TestChain } from './chain.ts';
import { Driver } from './driver.ts';
import { proposalMessage, signedCertificate, timeoutMessage, voteMessage } from './signing.ts';

/** Round 1 is led by validator 1, which here is the test itself. */
const LIAR = 1;

function withLiar(): Driver {
  const driver = Driver.started({ n: 4 });
  driver.crash(LIAR);
  return driver;
}

/** A block of round 1 on genesis, as its leader may make it. */
function blockOf(chain: TestChain, change: Partial<Block['header']> = {}, events = [joinOf(chain, 1)]): Block {
  const { genesis, chainId, validators, genesisCertificate } = chain;
  return makeBlock(
    {
      chainId,
      epoch: 0,
      round: 1,
      height: 1,
      parentId: genesis.block.id,
      justifyDigest: certificateDigest(genesisCertificate),
      proposer: validators.member(LIAR).peerId,
      timestamp: START,
      stateRoot: genesis.block.header.stateRoot,
      nextValidatorSet: null,
      ...change,
    },
    events,
  );
}

function propose(driver: Driver, block: Block, to: readonly number[] = [0, 2, 3]): void {
  const message = proposalMessage(driver.chain, { block }, driver.chain.genesisCertificate);
  for (const recipient of to) driver.inject(LIAR, recipient, message);
}

function tell(driver: Driver, message: HotstuffMessage, to: readonly number[] = [0, 2, 3]): void {
  for (const recipient of to) driver.inject(LIAR, recipient, message);
}

function linesOf(driver: Driver, text: string): string[] {
  return driver.trace.filter((line) => line.includes(text));
}

/** Why what came from `from` was refused, once for each refusal. */
function refusalsOf(driver: Driver, from: number): string[] {
  return linesOf(driver, `refuses what came from ${from}: `).map((line) => line.split(': ').at(-1) ?? '');
}

/** The evidence that a node kept, after it was verified from scratch. */
function evidenceOf(driver: Driver, index: number) {
  const { chain } = driver;
  return driver.node(index).disk.evidence.map((bytes) => {
    const evidence = unwrap(evidenceCodec.decode(bytes));
    const verifyIdentity = (peerId: string, message: Uint8Array, signature: Uint8Array) =>
      identitySignature(peerId, message).every((byte, i) => byte === signature[i]);
    unwrap(verifyEvidence(evidence, chain, chain.scheme, verifyIdentity));
    return evidence;
  });
}

describe('a leader', () => {
  it('that proposes two blocks in a round is convicted with both signatures, once', () => {
    const driver = withLiar();
    propose(driver, blockOf(driver.chain, {}, []));
    propose(driver, blockOf(driver.chain, { timestamp: START + 1 }, []));
    propose(driver, blockOf(driver.chain, { timestamp: START + 2 }, []));
    driver.run(100);
    for (const index of [0, 2, 3]) {
      expect(evidenceOf(driver, index)).toMatchObject([{ kind: 'proposals', offender: LIAR, epoch: 0 }]);
      expect(driver.watch.sent.get(`${index} vote 1`)).toBe(1);
    }
  });

  it.each([
    {
      name: 'gives another state root',
      change: { stateRoot: sha256Hex(utf8('wrong')) },
      events: [],
      code: 'state-root-mismatch',
    },
    {
      name: 'changes the validator set by no event',
      change: { nextValidatorSet: sha256Hex(utf8('set')) },
      events: [],
      code: 'epoch-change-unknown',
    },
    { name: 'skips a height', change: { height: 2 }, events: [], code: 'wrong-height' },
    {
      name: 'is ahead of every clock',
      change: { timestamp: START + 3600 },
      events: [],
      code: 'timestamp-ahead',
    },
    {
      name: 'holds an event that does not apply',
      change: {},
      events: 'twice' as const,
      code: 'event-not-applicable',
    },
  ])('whose block $name gets no vote', ({ change, events, code }) => {
    const driver = withLiar();
    const join = joinOf(driver.chain, 1);
    propose(driver, blockOf(driver.chain, change, events === 'twice' ? [join, join] : events));
    driver.run(100);
    expect(refusalsOf(driver, LIAR)).toEqual([code, code, code]);
    expect(linesOf(driver, 'votes in round 1')).toEqual([]);
  });

  it('of a later round, without what justifies it, is not followed there', () => {
    const driver = withLiar();
    propose(driver, blockOf(driver.chain, { round: 5 }, []));
    driver.run(100);
    expect(new Set(refusalsOf(driver, LIAR))).toEqual(new Set(['proposal-round-not-current']));
  });

  it('whose identity signature is false is not heard', () => {
    const driver = withLiar();
    const message = proposalMessage(driver.chain, { block: blockOf(driver.chain) }, driver.chain.genesisCertificate);
    tell(driver, { ...message, signature: new Uint8Array(32) });
    driver.run(100);
    expect(refusalsOf(driver, LIAR)).toEqual(['signature-invalid', 'signature-invalid', 'signature-invalid']);
  });
});

describe('a voter', () => {
  /** Validator 1 leads round 1 and proposes; 3 is the liar, and 2 makes the certificate. */
  function withFalseVoter(votes: (chain: TestChain, true_: VoteMessage) => readonly VoteMessage[]): Driver {
    const driver = Driver.started({ n: 4 });
    driver.crash(3);
    driver.lose('votes', ({ kind, from }) => kind === 'vote' && from === 0);
    driver.submit(1, joinOf(driver.chain, 1));
    driver.run(2);
    const [vote] = driver.node(2).effects.flatMap((effect) => (effect.kind === 'cast' ? [effect.message] : []));
    if (vote?.kind !== 'vote') throw new TypeError('the next leader voted');
    for (const message of votes(driver.chain, vote)) driver.inject(3, 2, message);
    driver.run(20);
    return driver;
  }

  it('whose signature is false is found out, and the certificate is made without it', () => {
    const driver = withFalseVoter((_, vote) => [{ ...vote, signature: new Uint8Array(96).fill(1) }]);
    expect(refusalsOf(driver, 3)).toEqual(['ballot-signature-invalid']);
    expect(driver.engine(2).status().round).toBe(1);
    driver.heal();
    driver.settle(10_000); // the votes travel again beside the timeouts
    expect(driver.engine(0).status().height).toBeGreaterThanOrEqual(1);
  });

  it('that was found out is checked by itself from then on, and counts when it is honest', () => {
    const driver = withFalseVoter((_, vote) => [{ ...vote, signature: new Uint8Array(96).fill(1) }]);
    const before = driver.node(2).effects.length;
    const [own] = driver.node(2).effects.flatMap((effect) => (effect.kind === 'cast' ? [effect.message] : []));
    if (own?.kind !== 'vote') throw new TypeError('the next leader voted');
    driver.inject(3, 2, voteMessage(driver.chain, 3, own.vote));
    driver.run(20);
    const jobs = driver
      .node(2)
      .effects.slice(before)
      .flatMap((effect) => (effect.kind === 'verify' ? [effect.work] : []));
    expect(jobs[0]).toMatchObject({ kind: 'ballot', signer: 3 });
    expect(jobs[1]).toMatchObject({ kind: 'votes' });
    expect(driver.engine(2).status().highCertificateRound).toBeGreaterThanOrEqual(1);
  });

  it('that votes twice in a round is convicted with both signatures', () => {
    const driver = withFalseVoter((chain, { vote }) => [
      voteMessage(chain, 3, vote),
      voteMessage(chain, 3, { ...vote, blockId: sha256Hex(utf8('another')) }),
    ]);
    expect(evidenceOf(driver, 2)).toMatchObject([{ kind: 'votes', offender: 3 }]);
  });

  it('is not convicted by signatures that are not its own', () => {
    const driver = withFalseVoter((chain, { vote }) => [
      voteMessage(chain, 3, vote),
      { ...voteMessage(chain, 0, { ...vote, blockId: sha256Hex(utf8('another')) }) },
    ]);
    driver.run(100);
    expect(driver.node(2).disk.evidence).toEqual([]);
  });

  it('cannot make others check false accusations without end', () => {
    const driver = withFalseVoter((chain, { vote }) =>
      Array.from({ length: 40 }, (_, i) =>
        [1, 2].map((name) => ({
          ...voteMessage(chain, 3, { ...vote, round: 10 + i, blockId: sha256Hex(utf8(`block ${name}`)) }),
          signature: new Uint8Array(96).fill(name),
        })),
      ).flat(),
    );
    driver.run(1000);
    const checks = driver.node(2).effects.filter((effect) => effect.kind === 'verify' && effect.work.kind === 'ballot');
    expect(checks.length).toBeLessThanOrEqual(2 * 8);
  });
});

/** As some node sent it, in a proposal or by itself. */
function certificateSeen(driver: Driver, round: number): QuorumCertificate {
  for (const effect of driver.nodes.flatMap(({ effects }) => effects)) {
    if (effect.kind !== 'cast' && effect.kind !== 'send') continue;
    const { message } = effect;
    const certificate =
      message.kind === 'proposal' ? message.justify : message.kind === 'certificate' ? message.certificate : null;
    if (certificate?.vote.round === round) return certificate;
  }
  throw new TypeError(`no certificate of round ${round} was sent`);
}

describe('who gives up', () => {
  it('with a certificate that does not verify is not heard, and does not spoil the work of the others', () => {
    const driver = withLiar();
    const vote = {
      round: 6,
      blockId: sha256Hex(utf8('6')),
      parentRound: 5,
      parentId: sha256Hex(utf8('5')),
      commit: null,
    };
    const forged = { ...signedCertificate(driver.chain, vote), signature: new Uint8Array(96).fill(3) };
    driver.submit(0, joinOf(driver.chain, 1));
    tell(driver, timeoutMessage(driver.chain, LIAR, 7, forged));
    driver.settle(20_000);
    expect(new Set(refusalsOf(driver, LIAR))).toEqual(new Set(['certificate-invalid']));
    expect(driver.engine(0).status().height).toBeGreaterThanOrEqual(1);
  });

  it('with a false signature is found out, and the timeout certificate is made without it', () => {
    const driver = withLiar();
    driver.submit(0, joinOf(driver.chain, 1));
    const timeout = timeoutMessage(driver.chain, LIAR, 1, driver.chain.genesisCertificate);
    tell(driver, { ...timeout, signature: new Uint8Array(96).fill(1) });
    driver.settle(20_000);
    expect(refusalsOf(driver, LIAR)).toContain('ballot-signature-invalid');
    expect(driver.engine(0).status().height).toBeGreaterThanOrEqual(1);
  });

  it('twice in a round with different certificates is convicted with both signatures', () => {
    const driver = Driver.started({ n: 4 });
    driver.submit(0, joinOf(driver.chain, 1));
    driver.settle();
    driver.crash(LIAR);
    expect(driver.engine(0).status().round).toBe(3);
    const [first, second] = [certificateSeen(driver, 1), certificateSeen(driver, 2)];
    tell(driver, timeoutMessage(driver.chain, LIAR, 3, second));
    driver.run(10);
    // The same round again, entered by a timeout certificate as it seems: nobody asks for it where nothing in it is news.
    const skipped = {
      epoch: 0,
      round: 2,
      signers: [0, 1, 2],
      highRounds: [1, 1, 1],
      signature: new Uint8Array(96),
      highCertificate: first,
    };
    tell(driver, timeoutMessage(driver.chain, LIAR, 3, first, skipped));
    driver.run(20);
    expect(evidenceOf(driver, 0)).toMatchObject([{ kind: 'timeouts', offender: LIAR }]);
  });
});
