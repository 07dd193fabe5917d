/** Events that nodes with real keys signed. */
import { unwrap } from '../../src/base/result.ts';
import { decodeSignedEvent, type SignedEvent } from '../../src/ledger/event.ts';
import { generateIdentityKey, type IdentityKey } from '../../src/node/keys.ts';
import { signEvent, type EventBody, type OwnSignedEvent } from '../../src/node/sign-event.ts';
import { START } from '../ledger/nodes.ts';

export interface TestNode {
  readonly key: IdentityKey;
  readonly peerId: string;
  /** @param time unix seconds */
  own(body: EventBody, seq?: number, time?: number): OwnSignedEvent;
  sign(body: EventBody, seq?: number, time?: number): SignedEvent;
}

export const JOINED: EventBody = {
  type: 'joined',
  multiaddrs: ['/ip4/203.0.113.20/udp/4001/quic-v1'],
  version: 'v0.8.4',
  isTwitterScraper: false,
  isDiscordScraper: false,
  isTelegramScraper: false,
  isWebScraper: true,
};

export function testNode(chainId: string, keyType: 'ed25519' | 'secp256k1' = 'ed25519'): TestNode {
  const key = generateIdentityKey(keyType);
  const { peerId } = key;
  const own = (body: EventBody, seq = 1, time = START): OwnSignedEvent =>
    signEvent(key, chainId, { ...body, peerId, seq, time });
  return {
    key,
    peerId,
    own,
    sign: (body, seq, time) => unwrap(decodeSignedEvent(chainId, own(body, seq, time).bytes)),
  };
}
