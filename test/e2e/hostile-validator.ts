/**
 * A validator whose key is in the wrong hands: it holds a true stream to another validator and sends what the protocol
 * does not allow. Each frame names the code with which the receiver must refuse it in its log.
 */
import { concatBytes } from '../../src/base/bytes.ts';
import { sha256Hex, ZERO_HASH } from '../../src/base/hash.ts';
import { encodeMessage } from '../../src/hotstuff/wire.ts';
import type { Host, PeerTarget } from '../../src/net/host.ts';
import { CONSENSUS_PROTOCOL } from '../../src/net/validator-streams.ts';
import { eventFrames, messageFrame } from '../../src/node/peer-frame.ts';
import type { QuorumCertificate } from '../../src/qc/certificate.ts';
import { eventually } from '../eventually.ts';
import { framed } from './hostile-streams.ts';

export interface HostileFrame {
  readonly name: string;
  readonly frame: Uint8Array;
  /** Undefined: it is taken for what it is, and changes nothing. */
  readonly code?: string;
}

const NO_SIGNATURE = new Uint8Array(96);
const SOME_BLOCK = sha256Hex(Uint8Array.of(1));

function certificate(over: Partial<QuorumCertificate> = {}): QuorumCertificate {
  const vote = { round: 1_000, blockId: SOME_BLOCK, parentRound: 999, parentId: ZERO_HASH, commit: null };
  return { epoch: 0, vote, signers: [0, 1, 2], signature: NO_SIGNATURE, ...over };
}

/** @param forgedEvent an event whose signature is not its peer's, as the binary form has it */
export function hostileValidatorFrames(forgedEvent: Uint8Array): HostileFrame[] {
  const message = (name: string, of: Parameters<typeof encodeMessage>[0], code?: string): HostileFrame => ({
    name,
    frame: messageFrame(encodeMessage(of)),
    ...(code === undefined ? {} : { code }),
  });
  const { vote } = certificate();
  const valid = messageFrame(encodeMessage({ kind: 'certificate', certificate: certificate() }));
  const timeout = { epoch: 0, timeout: { round: 1_001, highRound: 1_000 }, timeoutCertificate: null };
  return [
    { name: 'a frame of no kind', frame: Uint8Array.of(7, 1, 2, 3), code: 'frame-kind-unknown' },
    { name: 'a message of random bytes', frame: Uint8Array.of(0, 0xc1, 0xff, 0), code: 'undecodable' },
    { name: 'a message that is cut short', frame: valid.slice(0, -1), code: 'undecodable' },
    {
      name: 'a message with nesting without end',
      frame: concatBytes(Uint8Array.of(0), new Uint8Array(4_000).fill(0x91)),
      code: 'undecodable',
    },
    message('a certificate of nobody', { kind: 'certificate', certificate: certificate() }, 'certificate-invalid'),
    message(
      'a certificate of too few',
      { kind: 'certificate', certificate: certificate({ signers: [0, 1] }) },
      'quorum-missing',
    ),
    message(
      'a certificate of strangers',
      { kind: 'certificate', certificate: certificate({ signers: [0, 1, 9] }) },
      'signer-unknown',
    ),
    message(
      'a certificate of another epoch',
      { kind: 'certificate', certificate: certificate({ epoch: 1 }) },
      'epoch-mismatch',
    ),
    message('a certificate of round 0', {
      kind: 'certificate',
      certificate: certificate({ vote: { ...vote, round: 0 } }),
    }),
    message('a vote of another epoch', { kind: 'vote', epoch: 1, vote, signature: NO_SIGNATURE }, 'epoch-mismatch'),
    message('a vote that nobody signed', { kind: 'vote', epoch: 0, vote, signature: NO_SIGNATURE }),
    message(
      'a timeout with a false certificate',
      { kind: 'timeout', ...timeout, highCertificate: certificate(), signature: NO_SIGNATURE },
      'certificate-invalid',
    ),
    message('blocks that nobody asked for', { kind: 'blocks', blocks: [] }, 'message-unasked'),
    ...eventFrames([forgedEvent]).map((frame) => ({
      name: 'an event with a forged signature',
      frame,
      code: 'signature-invalid',
    })),
    ...eventFrames([Uint8Array.of(1, 2, 3)]).map((frame) => ({
      name: 'an event of random bytes',
      frame,
      code: 'undecodable',
    })),
  ];
}

/**
 * Opens the stream and sends the frames on it. A validator takes a stream from another only once it knows that the one
 * before is over, so it may refuse the first.
 */
export async function sendAsValidator(host: Host, to: PeerTarget, frames: readonly Uint8Array[]): Promise<void> {
  const stream = await eventually('a validator takes the stream of another', async () => {
    const opened = await host.open(to, CONSENSUS_PROTOCOL, { deadlineMs: 5_000 });
    // It greets the other at once.
    const greeted = new Promise<boolean>((resolve) => {
      opened.addEventListener('message', () => resolve(true), { once: true });
      opened.addEventListener('close', () => resolve(false), { once: true });
    });
    return (await greeted) ? opened : undefined;
  });
  for (const frame of frames) stream.send(framed(frame));
}
