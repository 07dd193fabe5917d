import type { HotstuffMessage } from '../../src/hotstuff/messages.ts';

/** The round that a message is of; 0 for one that is of none. */
export function roundOf(message: HotstuffMessage): number {
  switch (message.kind) {
    case 'proposal':
      return message.block.header.round;
    case 'vote':
      return message.vote.round;
    case 'timeout':
      return message.timeout.round;
    case 'certificate':
      return message.certificate.vote.round;
    case 'timeoutCertificate':
      return message.certificate.round;
    default:
      return 0;
  }
}
