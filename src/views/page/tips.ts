import { controlOf, nameOf, sentenceOf } from './controls.ts';

/** A pointer or the focus has to rest for as long, so that tips keep out of the way of who knows the page. */
const restMilliseconds = 500;
/** Room between a control and its tip, and between a tip and the edge of the page, in CSS pixels. */
const gap = 6;

/** The rectangle that a tip keeps clear: the control's, with its label's where the label holds it. */
function frameOf(control: HTMLElement): DOMRect {
  const label = control.closest('label');
  return (label ?? control).getBoundingClientRect();
}

/** Puts the tip under the control, or above where there is no room under it. */
function place(tip: HTMLElement, control: HTMLElement): void {
  const { left, top, bottom } = frameOf(control);
  const { width, height } = tip.getBoundingClientRect();
  const fitsBelow = bottom + gap + height <= innerHeight;
  const fitsAbove = top - gap - height >= 0;
  tip.style.insetBlockStart = `${fitsBelow || !fitsAbove ? bottom + gap : top - gap - height}px`;
  tip.style.insetInlineStart = `${Math.max(gap, Math.min(left, document.documentElement.clientWidth - width - gap))}px`;
}

/** Says what a tip says: the sentence, after the name of a button or link on which a sign or a number stands for it. */
function textOf(control: HTMLElement): string {
  const sentence = sentenceOf(control) || control.title;
  const isNamed = control.ariaLabel && control.matches('button, a') && control.innerText.trim() !== control.ariaLabel;
  return isNamed && sentence ? `${nameOf(control)}. ${sentence}` : sentence;
}

const isIn = ({ left, right, top, bottom }: DOMRect, x: number, y: number) =>
  x >= left - gap && x <= right + gap && y >= top - gap && y <= bottom + gap;

/**
 * Shows a control's sentence in `tip` while the pointer or the keyboard's focus rests on it. It goes with Escape, with any
 * other key, with a press, and when the pointer has left both. Clicks go through it. Gives what ends it.
 */
export function showTips(tip: HTMLElement): () => void {
  let shown: HTMLElement | null = null;
  /** Whoever pressed a control knows it: it gets no tip before the pointer has been elsewhere. */
  let pressed: HTMLElement | null = null;
  let timer = 0;
  const hide = () => {
    clearTimeout(timer);
    shown = null;
    if (tip.matches(':popover-open')) tip.hidePopover();
  };
  const show = (control: HTMLElement) => {
    // Beside the message about what is wrong in it there is none.
    if (control.ariaInvalid === 'true') return;
    const text = control.isConnected ? textOf(control) : '';
    if (!text) return;
    tip.textContent = text;
    tip.showPopover();
    place(tip, control);
  };
  const rest = (control: HTMLElement | null) => {
    if (control === shown) return;
    hide();
    shown = control;
    if (control) timer = window.setTimeout(() => show(control), restMilliseconds);
  };
  const isOpen = () => shown !== null && tip.matches(':popover-open');

  const handlers: Readonly<Record<string, (event: Event) => void>> = {
    pointermove: (event) => {
      const { pointerType, clientX: x, clientY: y, target } = event as PointerEvent;
      if (pointerType === 'touch') return;
      if (isOpen() && shown && (isIn(tip.getBoundingClientRect(), x, y) || isIn(frameOf(shown), x, y))) return;
      const control = target instanceof Element ? controlOf(target) : null;
      if (control === pressed && control) return;
      pressed = null;
      // The browser itself shows a title to the pointer.
      rest(control && !control.title ? control : null);
    },
    pointerdown: ({ target }) => {
      hide();
      pressed = target instanceof Element ? controlOf(target) : null;
    },
    focusin: ({ target }) => {
      const control = target instanceof HTMLElement && target.matches(':focus-visible') ? controlOf(target) : null;
      if (control !== pressed) rest(control);
    },
    focusout: hide,
    keydown: (event) => {
      if ((event as KeyboardEvent).key !== 'Tab') hide();
    },
    scroll: () => {
      if (isOpen()) hide();
    },
  };
  for (const [type, handler] of Object.entries(handlers)) document.addEventListener(type, handler, true);
  return () => {
    hide();
    for (const [type, handler] of Object.entries(handlers)) document.removeEventListener(type, handler, true);
  };
}
