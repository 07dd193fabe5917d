/** The rules of the ledger's topic that libp2p must know when the host is made: ids, bounds, scores. */
import type { GossipsubOpts, Message } from '@libp2p/gossipsub';
import { StrictNoSign } from '@libp2p/gossipsub';
import { createTopicScoreParams } from '@libp2p/gossipsub/score';
import { hashToBytes, sha256, type Hash } from '../base/hash.ts';

export function ledgerTopic(chainId: string): string {
  return `/masa/ledger/${chainId}/1.0.0`;
}

export interface GossipRules {
  /** The id of the block in a message, from the bytes of its header; undefined when there is none. Pure and cheap. */
  readonly messageId: (message: Uint8Array) => Hash | undefined;
  readonly maxMessageBytes?: number;
  readonly heartbeatIntervalMs?: number;
}

/** A block of 1 MiB and its seal. */
const DEFAULT_MAX_MESSAGE_BYTES = 2 << 20;

export function gossipOptions(rules: GossipRules, chainId: string): Partial<GossipsubOpts> {
  const topic = ledgerTopic(chainId);
  return {
    globalSignaturePolicy: StrictNoSign,
    allowedTopics: [topic],
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    fallbackToFloodsub: false,
    msgIdFn: (message: Message) => messageIdBytes(rules, message.data),
    maxInboundDataLength: rules.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
    ...(rules.heartbeatIntervalMs !== undefined && { heartbeatInterval: rules.heartbeatIntervalMs }),
    scoreParams: {
      // Nodes of one operator share an address, and all do in a test network.
      IPColocationFactorWeight: 0,
      topics: {
        [topic]: createTopicScoreParams({
          topicWeight: 1,
          // The square of the number of rejected messages, times this: the fifth puts a peer below the graylist's -80.
          invalidMessageDeliveriesWeight: -5,
          invalidMessageDeliveriesDecay: 0.99,
          // An idle chain has no messages; too few of them is no offence.
          meshMessageDeliveriesWeight: 0,
          meshFailurePenaltyWeight: 0,
        }),
      },
    },
  };
}

function messageIdBytes(rules: GossipRules, message: Uint8Array): Uint8Array {
  const id = rules.messageId(message);
  return id === undefined ? sha256(message) : hashToBytes(id);
}
