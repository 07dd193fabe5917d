/**
 * Gossip of committed blocks: one topic a chain, each block once, verified before it is passed on. Messages are not
 * signed by who relays them, as a block carries its certificate; the id of a message is the id of its block, so that
 * the seals in which replicas differ do not make one block two messages.
 *
 * That has a price: whoever sends a block with a false seal first keeps the true message out for as long as ids are
 * remembered. So a refusal is told with the block's id, and the node fetches that block by sync.
 */
import type { GossipSub, GossipsubMessage, TopicValidatorFn } from '@libp2p/gossipsub';
import { TopicValidatorResult } from '@libp2p/gossipsub';
import { codedError } from '../base/result.ts';
import { ledgerTopic } from './gossip-options.ts';
import type { Host } from './host.ts';

/**
 * `reject`: provably false, whoever looks at it; counts against the sender. `ignore`: not to be judged from here, as of a
 * height or an epoch that this node does not know; counts for nothing.
 */
export type Verdict = 'accept' | 'reject' | 'ignore';

export interface LedgerGossipOptions {
  readonly host: Host;
  readonly chainId: string;
  /** Decides before the message is passed on. What it throws is answered `ignore`. */
  readonly validate: (message: Uint8Array, from: string) => Promise<Verdict> | Verdict;
  /** An accepted message. */
  readonly onMessage: (message: Uint8Array, from: string) => void;
  readonly onRefused?: (message: Uint8Array, from: string, verdict: Exclude<Verdict, 'accept'>) => void;
}

const RESULTS: Readonly<Record<Verdict, TopicValidatorResult>> = {
  accept: TopicValidatorResult.Accept,
  reject: TopicValidatorResult.Reject,
  ignore: TopicValidatorResult.Ignore,
};

export class LedgerGossip {
  readonly #options: LedgerGossipOptions;
  readonly #gossip: GossipSub;
  readonly #topic: string;

  /** @throws CodedError `gossip-off` when the host was created without gossip */
  constructor(options: LedgerGossipOptions) {
    const { gossip } = options.host;
    if (gossip === undefined) throw codedError('gossip-off', 'the host was created without gossip');
    this.#options = options;
    this.#gossip = gossip;
    this.#topic = ledgerTopic(options.chainId);
  }

  start(): void {
    this.#gossip.topicValidators.set(this.#topic, this.#validate);
    this.#gossip.addEventListener('gossipsub:message', this.#onMessage);
    this.#gossip.subscribe(this.#topic);
  }

  stop(): void {
    this.#gossip.unsubscribe(this.#topic);
    this.#gossip.removeEventListener('gossipsub:message', this.#onMessage);
    this.#gossip.topicValidators.delete(this.#topic);
  }

  /** Peers that follow this topic. */
  subscribers(): readonly string[] {
    return this.#gossip.getSubscribers(this.#topic).map(String);
  }

  /**
   * Sends a block that this node has verified. Nobody there to hear it, or somebody faster, is no failure.
   *
   * @returns to how many peers it went
   */
  async publish(message: Uint8Array): Promise<number> {
    try {
      return (await this.#gossip.publish(this.#topic, message)).recipients.length;
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('PublishError.')) return 0;
      throw error;
    }
  }

  readonly #validate: TopicValidatorFn = async (peer, { data }) => {
    const { validate, onRefused } = this.#options;
    const from = peer.toString();
    let verdict: Verdict;
    try {
      verdict = await validate(data, from);
    } catch {
      verdict = 'ignore';
    }
    if (verdict !== 'accept') onRefused?.(data, from, verdict);
    return RESULTS[verdict];
  };

  readonly #onMessage = ({ detail }: CustomEvent<GossipsubMessage>): void => {
    if (detail.msg.topic === this.#topic) this.#options.onMessage(detail.msg.data, detail.propagationSource.toString());
  };
}
