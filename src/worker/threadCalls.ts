/** Messages over a thread boundary, for any table of calls: an interface whose members are of type `Call`. */

/** A call to a worker: what it is given, what it answers, and what it tells before that. */
export interface Call<Request, Answer, News = never> {
  readonly request: Request;
  readonly answer: Answer;
  readonly news: News;
}

export type CallTable<Calls> = { readonly [Name in keyof Calls]: Call<unknown, unknown, unknown> };

export type ToThread<Calls extends CallTable<Calls>> =
  | {
      [Name in keyof Calls]: { readonly type: Name; readonly id: number; readonly request: Calls[Name]['request'] };
    }[keyof Calls]
  /** Cancels the call with this id. */
  | { readonly type: 'cancel'; readonly id: number };

export type FromThread<Calls extends CallTable<Calls>> =
  | { readonly type: 'news'; readonly id: number; readonly news: Calls[keyof Calls]['news'] }
  | { readonly type: 'answer'; readonly id: number; readonly answer: Calls[keyof Calls]['answer'] }
  | {
      readonly type: 'failed';
      readonly id: number;
      /** Name of the error's class. */
      readonly name: string;
      readonly message: string;
      /** Kind of an error whose class tells kinds apart. */
      readonly fault?: string;
    }
  /** The worker lives, and holds the Web Lock of this name until it dies. */
  | { readonly type: 'alive'; readonly lock: string };
