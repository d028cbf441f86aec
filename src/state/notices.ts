import type { Facts, Fault, Offer } from './facts.ts';
import type { Page } from './page.ts';

export interface NoticeActions extends Pick<Page, 'notify'> {
  /** Shows a fault of the page's own code. */
  tellFault(fault: Fault): void;
  dismiss(notice: number): void;
}

/** The sentence of an error; the text of anything else that was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Ends an error's message as a sentence does. */
const inSentence = ({ message }: Error): string => (/[.!?]$/.test(message) ? message : `${message}.`);

/** Shows messages on the page, and takes them away. */
export function noticeActions({
  get,
  set,
}: {
  get(): Pick<Facts, 'notices'>;
  set(facts: Pick<Facts, 'notices'>): void;
}): NoticeActions {
  let nextId = 0;
  function notify(message: string, offer?: Offer, fault?: Fault): void {
    const others = get().notices.filter((notice) => notice.message !== message);
    set({ notices: [...others, { id: nextId++, message, ...(offer && { offer }), ...(fault && { fault }) }] });
  }
  return {
    notify,
    tellFault: (fault) =>
      notify(
        `Something went wrong in ${fault.place}: ${inSentence(fault.error)} Your prompts are kept.`,
        undefined,
        fault,
      ),
    dismiss: (notice) => set({ notices: get().notices.filter(({ id }) => id !== notice) }),
  };
}
