/**
 * A leader that proposes on less than those knew who gave up, and sees to it that they know too little.
 *
 *     P(r-3) <--- B(r-2) <--- B'(r-1)     the votes for B' go to the leader of r, which is this one, and to the next
 *
 * It makes the certificate of B' of them in secret and shows it to the next leader alone, which commits B. The others
 * are told that it gave up round r-1, as they soon do as well; its own validator hears nothing that says otherwise. With
 * their timeout certificate it proposes beside B. Whoever votes for that, though those who gave up knew the certificate
 * of B, commits another block than B at its height. (Jolteon, section 3: what "safe to extend" is for.)
 */
import { unwrap } from '../../src/base/result.ts';
import { leaderOf } from '../../src/hotstuff/leader.ts';
import type { ProposalMessage, TimeoutMessage, VoteMessage } from '../../src/hotstuff/messages.ts';
import { makeBlock } from '../../src/ledger/block.ts';
import type { VoteData } from '../../src/qc/ballot.ts';
import { certificateDigest, type QuorumCertificate } from '../../src/qc/certificate.ts';
import type { TimeoutCertificate } from '../../src/qc/timeout-certificate.ts';
import type { AdversaryTools } from './adversaries.ts';
import { fractionOf } from './dice.ts';
import { framed, type Forger } from './forger.ts';
import type { SeenFrame } from './lens.ts';

/** Before the next leader makes the certificate itself and tells everybody, which it does after 100 ms. */
const SHOWN_AFTER_MS = 50;
const KEPT_CERTIFICATES = 64;

/** A round whose certificate it keeps to itself. */
interface Plot {
  readonly round: number;
  readonly votes: Map<number, VoteMessage>;
  readonly timeouts: Map<number, TimeoutMessage>;
  isShown: boolean;
}

export class StaleParentLeader {
  readonly #tools: AdversaryTools;
  readonly #forger: Forger;
  /** By the block that they certify. */
  readonly #certificates = new Map<string, QuorumCertificate>();
  #plot: Plot | null = null;
  #lastProposal: ProposalMessage | null = null;
  /** What it proposed beside a block, last. */
  #stale: ProposalMessage | null = null;

  constructor(tools: AdversaryTools, forger: Forger) {
    this.#tools = tools;
    this.#forger = forger;
  }

  /** What comes in. @returns whether its validator is told */
  hears(from: number, { message }: SeenFrame): boolean {
    const round = this.#plot?.round;
    switch (message?.kind) {
      case 'proposal':
        this.#keep(message.justify);
        this.#lastProposal = message;
        return true;
      case 'certificate':
        this.#keep(message.certificate);
        return message.certificate.vote.round !== round;
      case 'vote':
        return !this.#keepsVote(from, message);
      case 'timeout':
        if (message.timeout.round === round) this.#takeTimeout(from, message);
        return message.timeout.highRound !== round;
      default:
        return true;
    }
  }

  /** What its validator sends: not what contradicts what was proposed in its name. */
  replace({ frame, message }: SeenFrame): readonly Uint8Array[] {
    if (message?.kind === 'vote') {
      if (message.vote.round === this.#plot?.round) this.#takeVote(this.#tools.index, message);
      return message.vote.round === this.#stale?.block.header.round ? [framed(this.#voteFor(this.#stale))] : [frame];
    }
    if (message?.kind !== 'proposal') return [frame];
    this.#keep(message.justify);
    const { timeoutCertificate } = message;
    if (this.#stale?.block.header.round === message.block.header.round) return [framed(this.#stale)];
    const stale = timeoutCertificate === null ? null : this.#proposalAfter(timeoutCertificate, message);
    return [stale === null ? frame : framed(stale)];
  }

  /** Whether this vote is for a round whose certificate it keeps to itself. */
  #keepsVote(from: number, message: VoteMessage): boolean {
    const { chain, index, seed } = this.#tools;
    const { round } = message.vote;
    const { epoch, n } = chain.validators;
    if (leaderOf(epoch, round + 1, n) !== index || fractionOf(seed, round, 10) < 0.3) return false;
    if ((this.#plot?.round ?? 0) < round) {
      this.#plot = { round, votes: new Map(), timeouts: new Map(), isShown: false };
    }
    if (this.#plot?.round === round) this.#takeVote(from, message);
    return true;
  }

  #takeVote(from: number, message: VoteMessage): void {
    const plot = this.#plot;
    if (plot === null || plot.isShown) return;
    plot.votes.set(from, message);
    const { after, chain, count, send } = this.#tools;
    const { scheme, validators } = chain;
    const votes = [...plot.votes].filter(([, { vote }]) => vote.blockId === message.vote.blockId).sort(bySigner);
    if (votes.length < validators.quorum) return;
    plot.isShown = true;
    const signature = unwrap(scheme.aggregate(votes.map(([, { signature }]) => signature)));
    const { epoch, vote } = message;
    const certificate = { epoch, vote, signers: votes.map(([signer]) => signer), signature };
    count('a certificate is shown to one alone');
    after(SHOWN_AFTER_MS, () => {
      send(this.#victim(plot), framed({ kind: 'certificate', certificate }));
      this.#giveUp(plot, vote);
    });
  }

  /** The others are told so, who then give up as soon as one of them does. */
  #giveUp(plot: Plot, { parentId }: VoteData): void {
    const { index } = this.#tools;
    const highCertificate = this.#certificates.get(parentId);
    if (highCertificate === undefined || highCertificate.vote.round + 1 !== plot.round) return;
    const timeout = this.#forger.timeout(plot.round, highCertificate);
    this.#takeTimeout(index, timeout);
    this.#tell(plot, framed(timeout));
  }

  #takeTimeout(from: number, message: TimeoutMessage): void {
    const plot = this.#plot;
    const highRound = message.timeout.highRound;
    if (plot === null || highRound + 1 !== plot.round) return;
    plot.timeouts.set(from, message);
    const { scheme, validators } = this.#tools.chain;
    if (plot.timeouts.size < validators.quorum || this.#lastProposal?.block.header.round !== plot.round) return;
    const timeouts = [...plot.timeouts].sort(bySigner);
    const stale = this.#proposalAfter(
      {
        epoch: validators.epoch,
        round: plot.round,
        signers: timeouts.map(([signer]) => signer),
        highRounds: timeouts.map(() => highRound),
        signature: unwrap(scheme.aggregate(timeouts.map(([, { signature }]) => signature))),
        highCertificate: message.highCertificate,
      },
      this.#lastProposal,
    );
    plot.timeouts.clear();
    if (stale === null) return;
    this.#tell(plot, framed(stale));
    this.#tell(plot, framed(this.#voteFor(stale)));
  }

  /** On the block that the highest certificate of those who gave up commits, by the certificate of that block. */
  #proposalAfter(timeoutCertificate: TimeoutCertificate, { block }: ProposalMessage): ProposalMessage | null {
    const { chain, count, index } = this.#tools;
    const { commit } = timeoutCertificate.highCertificate.vote;
    const justify = commit === null ? undefined : this.#certificates.get(commit.blockId);
    if (commit === null || justify === undefined) return null;
    const { chainId, epoch, nextValidatorSet, timestamp } = block.header;
    const header = {
      chainId,
      epoch,
      round: timeoutCertificate.round + 1,
      height: commit.height + 1,
      parentId: commit.blockId,
      justifyDigest: certificateDigest(justify),
      proposer: chain.validators.member(index).peerId,
      timestamp,
      stateRoot: commit.stateRoot,
      nextValidatorSet,
    };
    this.#stale = this.#forger.proposal(makeBlock(header, []), { justify, timeoutCertificate });
    count('a proposal extends less than those knew who gave up');
    return this.#stale;
  }

  #voteFor({ block, justify }: ProposalMessage): VoteMessage {
    const { round: parentRound, blockId: parentId } = justify.vote;
    return this.#forger.vote({ round: block.header.round, blockId: block.id, parentRound, parentId, commit: null });
  }

  /** All but the one that knows. */
  #tell(plot: Plot, frame: Uint8Array): void {
    const { chain, index, send } = this.#tools;
    for (let to = 0; to < chain.validators.n; to++) if (to !== index && to !== this.#victim(plot)) send(to, frame);
  }

  #victim({ round }: Plot): number {
    const { epoch, n } = this.#tools.chain.validators;
    return leaderOf(epoch, round + 2, n);
  }

  #keep(certificate: QuorumCertificate): void {
    this.#certificates.set(certificate.vote.blockId, certificate);
    const [oldest] = this.#certificates.keys();
    if (this.#certificates.size > KEPT_CERTIFICATES && oldest !== undefined) this.#certificates.delete(oldest);
  }
}

function bySigner([a]: readonly [number, unknown], [b]: readonly [number, unknown]): number {
  return a - b;
}
