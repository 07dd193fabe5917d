/** Records of the own store as this program wrote them: what does not read as one says that the disk is damaged. */
import { AssertionError } from '../base/assert.ts';
import { textFromUtf8 } from '../base/bytes.ts';
import type { Codec } from '../base/codec.ts';
import { codedError, type CodedError, type Result } from '../base/result.ts';
import { contentOf } from './checked-record.ts';

export function checkedRecord<T>(own: Codec<T>, written: Uint8Array | undefined, what: string): T {
  const content = contentOf(present(written, what));
  if (content === null) throw corrupt(`${what} has changed since it was written`);
  return decoded(own.decode(content), what);
}

export function present(value: Uint8Array | undefined, what: string): Uint8Array {
  if (value === undefined) throw corrupt(`${what} is missing`);
  return value;
}

/** What this program wrote, it can read: anything else is damage. */
export function decoded<T>(result: Result<T>, what: string): T {
  if (!result.ok) throw corrupt(`${what} does not decode`, { because: result.refusal.code });
  return result.value;
}

/** Of our own bytes on a disk, an assertion says that the disk is damaged. */
export function ownBytes<T>(decode: () => T, what: string): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof AssertionError) throw corrupt(`${what} does not decode`, { because: error.message });
    throw error;
  }
}

export function ownText(textBytes: Uint8Array, what: string): string {
  try {
    return textFromUtf8(textBytes);
  } catch (error) {
    throw codedError('store-corrupt', `${what} is no text`, {}, { cause: error });
  }
}

export function corrupt(message: string, details: Readonly<Record<string, string | number>> = {}): CodedError {
  return codedError('store-corrupt', message, details);
}
