import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sha256Hex, ZERO_HASH } from '../../src/base/hash.ts';
import type { HotstuffMessage, ProposalMessage, VoteMessage } from '../../src/hotstuff/messages.ts';
import { encodeMessage } from '../../src/hotstuff/wire.ts';
import { makeBlock, type BlockHeader } from '../../src/ledger/block.ts';
import { ballotFacts, BallotTrace } from '../../src/node/ballot-trace.ts';
import { createLog, flushLog } from '../../src/observability/log.ts';
import { certificateDigest, genesisCertificate } from '../../src/qc/certificate.ts';
import { temporaryDirectory } from './directory.ts';

const CHAIN_ID = `test-${'0'.repeat(32)}`;
const SIGNATURE = new Uint8Array(96).fill(1);
const GENESIS = genesisCertificate(0, sha256Hex(Uint8Array.of(1)));
const COMMIT = { height: 1, round: 3, blockId: ZERO_HASH, stateRoot: ZERO_HASH, nextValidatorSet: null };

function vote(over: Partial<VoteMessage['vote']> = {}): VoteMessage {
  const data = { round: 4, blockId: sha256Hex(Uint8Array.of(4)), parentRound: 3, parentId: ZERO_HASH, commit: null };
  return { kind: 'vote', epoch: 0, vote: { ...data, ...over }, signature: SIGNATURE };
}

function proposal(over: Partial<BlockHeader> = {}): ProposalMessage {
  const hashes = { parentId: GENESIS.vote.blockId, justifyDigest: certificateDigest(GENESIS), stateRoot: ZERO_HASH };
  const position = { epoch: 0, round: 5, height: 1, timestamp: 1, nextValidatorSet: null };
  const block = makeBlock({ chainId: CHAIN_ID, proposer: 'me', ...hashes, ...position, ...over }, []);
  return { kind: 'proposal', block, justify: GENESIS, timeoutCertificate: null, signature: SIGNATURE.slice(0, 64) };
}

function timeout(highRound: number): HotstuffMessage {
  const ballot = { round: 6, highRound };
  return {
    kind: 'timeout',
    epoch: 0,
    timeout: ballot,
    highCertificate: GENESIS,
    timeoutCertificate: null,
    signature: SIGNATURE,
  };
}

async function tracing(level: string): Promise<{ readonly trace: BallotTrace; readonly text: () => Promise<string> }> {
  const file = join(await temporaryDirectory(), 'node.log');
  const log = createLog({ level, file });
  const text = async (): Promise<string> => {
    await flushLog(log);
    return readFile(file, 'utf8');
  };
  return { trace: new BallotTrace(log, CHAIN_ID), text };
}

describe('the trace of ballots', () => {
  test('tells kind, epoch and round of a proposal, a vote and a timeout, sent or received', async () => {
    const { trace, text } = await tracing('trace');
    trace.sent(1, proposal());
    trace.sent(2, vote());
    trace.received(3, encodeMessage(timeout(0)));
    const lines = (await text()).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { msg: 'ballot sent', to: 1, ballot: 'proposal', epoch: 0, round: 5 },
      { msg: 'ballot sent', to: 2, ballot: 'vote', epoch: 0, round: 4 },
      { msg: 'ballot received', from: 3, ballot: 'timeout', epoch: 0, round: 6, highRound: 0 },
    ]);
  });

  test('gives two ballots one digest exactly when the same was signed', () => {
    const digest = (message: HotstuffMessage) => ballotFacts(CHAIN_ID, message)?.digest;
    expect(digest({ ...vote(), signature: SIGNATURE.slice().fill(2) })).toBe(digest(vote()));
    const different = [
      vote(),
      vote({ blockId: ZERO_HASH }),
      vote({ parentRound: 2 }),
      vote({ commit: COMMIT }),
      timeout(0),
      timeout(1),
      proposal(),
      proposal({ timestamp: 2 }),
    ];
    expect(new Set(different.map(digest)).size).toBe(different.length);
  });

  test('says nothing of other messages, nor of bytes that are none', async () => {
    const { trace, text } = await tracing('trace');
    trace.sent(1, { kind: 'certificate', certificate: GENESIS });
    trace.received(1, Uint8Array.of(1, 2, 3));
    trace.sent(1, vote());
    expect((await text()).trimEnd().split('\n')).toHaveLength(1);
  });

  test('is silent below level trace', async () => {
    const { trace, text } = await tracing('debug');
    trace.sent(1, vote());
    trace.received(1, encodeMessage(vote()));
    expect(await text()).toBe('');
  });
});
