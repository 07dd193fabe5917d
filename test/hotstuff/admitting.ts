/** Admission as `node/admit` performs it, in place: what a message owes is checked by the scheme of the test's chain. */
import { ok, unwrap, type Refusal, type Result } from '../../src/base/result.ts';
import type { ValidatorIndex, VerifiedSealedBlock } from '../../src/consensus/engine.ts';
import { candidateOf, type AdmissionView, type Candidate, type Duties } from '../../src/hotstuff/admission.ts';
import type { AdmittedMessage } from '../../src/hotstuff/messages.ts';
import { decodeStoredBlocks } from '../../src/hotstuff/wire.ts';
import { decodeSealedBlock } from '../../src/ledger/block.ts';
import { decodeCommitProof, verifyCommitProof } from '../../src/ledger/commit-proof.ts';
import { verifiedEvent } from '../../src/ledger/verified-event.ts';
import { verifyCertificate, type VerifiedCertificate } from '../../src/qc/certificate.ts';
import { verifyTimeoutCertificate, type VerifiedTimeoutCertificate } from '../../src/qc/timeout-certificate.ts';
import { identitySignature, type TestChain } from './chain.ts';

const NOTHING = ok(null);

/** Refusals: `signature-invalid`, and those of the certificates. */
export function fulfil(chain: TestChain, { duties, admit }: Candidate): Result<AdmittedMessage> {
  const unsigned = unsignedDuty(chain, duties);
  if (unsigned !== null) return { ok: false, refusal: unsigned };
  const { scheme } = chain;
  const context = { ...chain, genesis: chain.genesisCertificate };
  const certificate: Result<VerifiedCertificate | null> =
    duties.certificate === null ? NOTHING : verifyCertificate(duties.certificate, context, scheme);
  if (!certificate.ok) return certificate;
  const skipped: Result<VerifiedTimeoutCertificate | null> =
    duties.timeoutCertificate === null ? NOTHING : verifyTimeoutCertificate(duties.timeoutCertificate, context, scheme);
  if (!skipped.ok) return skipped;
  const events = [duties.events.map((event) => verifiedEvent(event, 'signature-checked'))];
  return ok(admit({ certificate: certificate.value, timeoutCertificate: skipped.value, events }));
}

function unsignedDuty({ scheme, validators }: TestChain, { signatures }: Duties): Refusal | null {
  for (const { signWith, signer, preimage, signature } of signatures) {
    const { peerId, blsPublicKey } = validators.member(signer);
    const isValid =
      signWith === 'bls'
        ? scheme.verify(blsPublicKey, preimage, signature)
        : identitySignature(peerId, preimage).every((byte, i) => byte === signature[i]);
    if (!isValid) return { code: 'signature-invalid', message: 'a duty is not signed', details: { signer } };
  }
  return null;
}

/** The answer to a fetch of blocks by id. @throws CodedError when it is not what a correct server sends */
export function admitBlocks(
  { chainId }: TestChain,
  stored: readonly Uint8Array[],
  server: ValidatorIndex,
  view: AdmissionView,
): AdmittedMessage {
  const blocks = unwrap(decodeStoredBlocks(chainId, stored));
  const candidate = unwrap(candidateOf({ kind: 'blocks', blocks }, server, view));
  const events = blocks.map(({ block }) => block.events.map((event) => verifiedEvent(event, 'own-log')));
  return candidate.admit({ certificate: null, timeoutCertificate: null, events });
}

/** A committed block from another's log. @throws CodedError when its seal does not verify */
export function admitSealed(chain: TestChain, bytes: Uint8Array): VerifiedSealedBlock {
  const sealed = unwrap(decodeSealedBlock(chain.chainId, bytes));
  unwrap(verifyCommitProof(unwrap(decodeCommitProof(sealed.seal.bytes)), sealed.block, chain));
  const events = sealed.block.events.map((event) => verifiedEvent(event, 'own-log'));
  return { ...sealed, events } as unknown as VerifiedSealedBlock;
}
