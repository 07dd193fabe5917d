/**
 * The certificates that were verified here lately, so that none is verified twice: a certificate that this node made
 * comes back in the next proposal, and one that was broadcast comes from several sides.
 */
import type { Hash } from '../base/hash.ts';
import { certificateDigest, type VerifiedCertificate } from '../qc/certificate.ts';
import { timeoutCertificateDigest, type VerifiedTimeoutCertificate } from '../qc/timeout-certificate.ts';

/** Enough for the rounds that can be in the air at once. */
const MAX_CERTIFICATES = 64;

export class CertificateBook {
  readonly #certificates = new Map<Hash, VerifiedCertificate>();
  readonly #timeoutCertificates = new Map<Hash, VerifiedTimeoutCertificate>();
  readonly #byRound = new Map<number, VerifiedCertificate>();

  add(certificate: VerifiedCertificate): void {
    keep(this.#certificates, certificateDigest(certificate), certificate);
    keep(this.#byRound, certificate.vote.round, certificate);
  }

  addTimeout(certificate: VerifiedTimeoutCertificate): void {
    keep(this.#timeoutCertificates, timeoutCertificateDigest(certificate), certificate);
  }

  get(digest: Hash): VerifiedCertificate | undefined {
    return this.#certificates.get(digest);
  }

  getTimeout(digest: Hash): VerifiedTimeoutCertificate | undefined {
    return this.#timeoutCertificates.get(digest);
  }

  /** Any one of this round: they certify the same, whoever signed. */
  ofRound(round: number): VerifiedCertificate | undefined {
    return this.#byRound.get(round);
  }
}

/** The oldest goes first. */
function keep<K, V>(held: Map<K, V>, key: K, value: V): void {
  held.delete(key);
  held.set(key, value);
  if (held.size <= MAX_CERTIFICATES) return;
  for (const oldest of held.keys()) {
    held.delete(oldest);
    break;
  }
}
