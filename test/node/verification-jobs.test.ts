import { describe, expect, test } from 'vitest';
import { decodeCommitProof, type CommitProof } from '../../src/ledger/commit-proof.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { encodeReadAnswer } from '../../src/ledger/verified-read.ts';
import { unwrap } from '../../src/base/result.ts';
import { runVerificationJob, type VerificationJob } from '../../src/node/verification-jobs.ts';
import { votePreimage } from '../../src/qc/ballot.ts';
import { genesisCertificate } from '../../src/qc/certificate.ts';
import { runCollectJob } from '../../src/qc/collect.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { SealedChain } from '../ledger/chain.ts';
import { peerOf } from '../ledger/nodes.ts';
import { testChain } from '../hotstuff/chain.ts';
import { signedCertificate, signedTimeoutCertificate } from '../hotstuff/signing.ts';
import { hashOf, voteFor } from '../qc/validators.ts';

const fast = testChain(4);
const fastContext = { chainId: fast.chainId, validators: fast.validators, genesis: fast.genesisCertificate };
const certificate = signedCertificate(fast, voteFor(5));
const timeoutCertificate = signedTimeoutCertificate(fast, 7, certificate);

const chain = new SealedChain();
chain.commit([chain.join(1)]);
const { block, seal } = chain.sealedAt(1);
const context = {
  chainId: chain.chainId,
  validators: chain.validators,
  genesis: genesisCertificate(0, chain.state.block.id),
};

function run(job: VerificationJob, on: 'fast' | 'native' = 'fast'): string {
  // As a worker gets it and answers.
  const cloned = structuredClone(job);
  const outcome = structuredClone(
    on === 'fast'
      ? runVerificationJob(cloned, fastContext, fast.scheme)
      : runVerificationJob(cloned, context, nativeScheme),
  );
  if (outcome.kind === 'collected') return outcome.kind;
  return outcome.result.ok ? 'true' : outcome.result.refusal.code;
}

const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === 5 ? byte ^ 1 : byte));

describe('a verification job', () => {
  test('checks a certificate', () => {
    expect(run({ kind: 'certificate', certificate })).toBe('true');
    const forged = { ...certificate, vote: { ...certificate.vote, blockId: hashOf('another') } };
    expect(run({ kind: 'certificate', certificate: forged })).toBe('certificate-invalid');
    const few = { ...certificate, signers: [0, 1] };
    expect(run({ kind: 'certificate', certificate: few })).toBe('quorum-missing');
  });

  test('checks a timeout certificate, with the certificate in it', () => {
    expect(run({ kind: 'timeoutCertificate', certificate: timeoutCertificate })).toBe('true');
    const { highCertificate } = timeoutCertificate;
    const forged = {
      ...timeoutCertificate,
      highCertificate: { ...highCertificate, signature: flipped(highCertificate.signature) },
    };
    expect(run({ kind: 'timeoutCertificate', certificate: forged })).not.toBe('true');
  });

  test('checks one signature of one validator', () => {
    const preimage = votePreimage({ chainId: fast.chainId, epoch: 0 }, voteFor(3));
    const signature = fast.scheme.sign(fast.secretKeys[1] as Uint8Array, preimage);
    expect(run({ kind: 'signature', signer: 1, preimage, signature })).toBe('true');
    expect(run({ kind: 'signature', signer: 2, preimage, signature })).toBe('signature-invalid');
  });

  test('makes a certificate of votes', () => {
    const vote = voteFor(3);
    const preimage = votePreimage({ chainId: fast.chainId, epoch: 0 }, vote);
    const ballots = [0, 1, 2].map((signer) => ({
      signer,
      signature: fast.scheme.sign(fast.secretKeys[signer] as Uint8Array, preimage),
    }));
    const work = { kind: 'votes', chainId: fast.chainId, epoch: 0, vote, ballots } as const;
    expect(runVerificationJob({ kind: 'collect', work }, fastContext, fast.scheme)).toEqual({
      kind: 'collected',
      outcome: runCollectJob(work, fast.validators, fast.scheme),
    });
    expect(run({ kind: 'collect', work })).toBe('collected');
  });

  test('checks a head statement', () => {
    const statement = chain.headStatement(1, 1_000);
    expect(run({ kind: 'headStatement', statement }, 'native')).toBe('true');
    expect(run({ kind: 'headStatement', statement: { ...statement, epoch: 1 } }, 'native')).toBe('epoch-mismatch');
    expect(run({ kind: 'headStatement', statement: { ...statement, signer: 9 } }, 'native')).toBe('signer-unknown');
    const later = { ...statement, nowMs: 2_000 };
    expect(run({ kind: 'headStatement', statement: later }, 'native')).toBe('head-statement-invalid');
  });

  test('checks the seal of a block', () => {
    const proof: CommitProof = unwrap(decodeCommitProof(seal.bytes));
    const { header, id } = block;
    expect(run({ kind: 'seal', proof, block: { id, header } }, 'native')).toBe('true');
    const other = chain.state.block;
    const job = { kind: 'seal', proof, block: { id: other.id, header: other.header } } as const;
    expect(run(job, 'native')).toBe('seal-names-another-block');
    const { certificate: certified } = proof;
    const forged = { ...proof, certificate: { ...certified, signers: [0, 1, 3] } };
    expect(run({ kind: 'seal', proof: forged, block: { id, header } }, 'native')).toBe('certificate-invalid');
  });

  test('checks a whole read of any key, and says what it proves', () => {
    const key = nodeKey(peerOf(1));
    const { proof, value } = unwrap(chain.machine.proveAt(1, key));
    const answer = encodeReadAnswer({
      value: value ?? null,
      proof,
      header: block.headerBytes,
      seal,
      epochProofs: [],
      headStatements: [],
    });
    const outcome = runVerificationJob({ kind: 'stateRead', answer, key, nowMs: 0 }, context, nativeScheme);
    expect(outcome).toMatchObject({ kind: 'stateRead', result: { ok: true, value: { height: 1, value } } });
    expect(run({ kind: 'stateRead', answer, key: nodeKey(peerOf(2)), nowMs: 0 }, 'native')).not.toBe('true');
    expect(run({ kind: 'stateRead', answer: flipped(answer), key, nowMs: 0 }, 'native')).not.toBe('true');
  });
});
