/**
 * Certificates by who really signed: each signer that one names has signed exactly that, as the book of the simulation
 * says, and there are enough of them; and all certificates of a round are for one vote.
 */
import { equalBytes } from '../../../src/base/bytes.ts';
import { timeoutPreimage, votePreimage } from '../../../src/qc/ballot.ts';
import type { QuorumCertificate } from '../../../src/qc/certificate.ts';
import type { TimeoutCertificate } from '../../../src/qc/timeout-certificate.ts';
import { latin1 } from '../latin1.ts';
import type { SigningBook, SimulatedChain } from '../simulated-keys.ts';
import type { Report } from './violation.ts';

const NAME = 'certificates';

type Chain = Pick<SimulatedChain, 'chainId' | 'state' | 'validators'>;

export class CertificateChecker {
  readonly #binding: { readonly chainId: string; readonly epoch: number };
  readonly #quorum: number;
  readonly #genesisBlockId: string;
  readonly #book: SigningBook;
  readonly #report: Report;
  /** Quorum certificates checked, by round: one comes with nearly every message. */
  readonly #checkedQuorums = new Map<number, QuorumCertificate[]>();
  /** Timeout certificates checked, by everything in them. */
  readonly #checked = new Set<string>();
  /** The one vote that is certified in a round, encoded. */
  readonly #certified = new Map<number, string>();

  constructor({ chainId, state, validators }: Chain, book: SigningBook, report: Report) {
    this.#binding = { chainId, epoch: validators.epoch };
    this.#quorum = validators.n - Math.floor((validators.n - 1) / 3);
    this.#genesisBlockId = state.block.id;
    this.#book = book;
    this.#report = report;
  }

  /** Highest certified round. */
  highestRound = 0;

  /** @param by who vouches for it */
  checkQuorum(certificate: QuorumCertificate, by: number): void {
    const { signers, vote } = certificate;
    if (vote.round === 0) {
      if (vote.blockId !== this.#genesisBlockId) this.#violated('round 0 is genesis', { by });
      return;
    }
    const checked = this.#checkedQuorums.get(vote.round) ?? [];
    if (checked.some((one) => isSame(one, certificate))) return;
    checked.push(certificate);
    this.#checkedQuorums.set(vote.round, checked);
    this.highestRound = Math.max(this.highestRound, vote.round);
    const preimage = votePreimage(this.#binding, vote);
    this.#checkSigners('a certificate', vote.round, signers, by, () => preimage);
    const text = latin1(preimage);
    const known = this.#certified.get(vote.round) ?? text;
    this.#certified.set(vote.round, known);
    if (known !== text) this.#violated('at most one vote is certified in a round', { by, round: vote.round });
  }

  checkTimeout(certificate: TimeoutCertificate, by: number): void {
    const { highCertificate, highRounds, round, signature, signers } = certificate;
    this.checkQuorum(highCertificate, by);
    const key = `timeout ${round} ${signers.join()} ${highRounds.join()} ${latin1(signature)}`;
    if (this.#checked.has(key)) return;
    this.#checked.add(key);
    this.#checkSigners('a timeout certificate', round, signers, by, (place) =>
      timeoutPreimage(this.#binding, { round, highRound: highRounds[place] ?? -1 }),
    );
    if (Math.max(...highRounds) !== highCertificate.vote.round) {
      this.#violated('a timeout certificate carries the highest certificate that was signed', { by, round });
    }
  }

  #checkSigners(
    what: string,
    round: number,
    signers: readonly number[],
    by: number,
    preimageOf: (place: number) => Uint8Array,
  ): void {
    if (new Set(signers).size < this.#quorum) {
      this.#violated(`${what} has a quorum of different signers`, { by, round, signers: signers.join() });
    }
    for (const [place, signer] of signers.entries()) {
      if (this.#book.has(signer, preimageOf(place))) continue;
      this.#violated(`${what} names those who signed it`, { by, round, signer });
    }
  }

  #violated(message: string, details: Readonly<Record<string, string | number>>): void {
    this.#report({ checker: NAME, message, details });
  }
}

function isSame(one: QuorumCertificate, other: QuorumCertificate): boolean {
  return (
    one.vote.blockId === other.vote.blockId &&
    one.vote.parentId === other.vote.parentId &&
    one.vote.commit?.blockId === other.vote.commit?.blockId &&
    one.vote.commit?.stateRoot === other.vote.commit?.stateRoot &&
    one.signers.length === other.signers.length &&
    one.signers.every((signer, place) => signer === other.signers[place]) &&
    equalBytes(one.signature, other.signature)
  );
}
