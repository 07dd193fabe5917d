/** Questions to peers, as results. */
import { CodedError, refuse, type Result } from '../base/result.ts';

/** An exchange that failed is a refusal like any other: the next server is asked. */
export async function asked<T>(exchange: Promise<Result<T>>): Promise<Result<T>> {
  try {
    return await exchange;
  } catch (error) {
    if (error instanceof CodedError) return refuse(error.code, error.message, error.details);
    throw error;
  }
}
