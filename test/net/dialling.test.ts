import { describe, expect, it } from 'vitest';
import { openError } from '../../src/net/dialling.ts';

const named = (name: string, message = 'x'): Error => Object.assign(new Error(message), { name });

describe('errors of dialling', () => {
  it.each([
    ['a dial without an answer', new Error('refused'), {}, 'dial-failed'],
    ['a stream that broke', new Error('reset'), { protocol: '/x' }, 'stream-failed'],
    ['an unknown protocol', named('UnsupportedProtocolError'), { protocol: '/x' }, 'protocol-unsupported'],
    ['a deadline', named('TimeoutError'), {}, 'deadline-passed'],
    ['another peer', named('EncryptionFailedError', 'Unexpected Peer'), {}, 'wrong-peer'],
    [
      'another peer at one of several addresses',
      new AggregateError([new Error('x'), named('UnexpectedPeerError')]),
      {},
      'wrong-peer',
    ],
  ])('tell %s by its code', (_what, error, details, code) => {
    expect(openError(error, { peerId: 'a', ...details })).toMatchObject({ code, details: { peerId: 'a' } });
  });

  it('carry the reasons, bounded', () => {
    const error = openError(new AggregateError([new Error('one'), new Error('y'.repeat(1000))], 'all'), {});
    expect(error.details['reason']).toMatch(/^all; one; y/);
    expect(String(error.details['reason'])).toHaveLength(500);
  });
});
