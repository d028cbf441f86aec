// One panel of clipscope in a page of yours: <clip-scope view="attention" prompt="a (red:1.3) circle" layer="3"></clip-scope>
// Load this file by a <script> from the folder that clipscope lies in. The event "change" has what the panel shows in `detail`.
{
  const home = new URL('./', document.currentScript.src);

  class ClipScope extends HTMLElement {
    static observedAttributes = ['prompt', 'negative', 'language', 'method', 'side', 'chunk', 'layer', 'head', 'stage'];
    #frame = document.createElement('iframe');
    #send = null; // Until the panel listens.

    connectedCallback() {
      const embed = this.getAttribute('view') ?? 'tokens';
      const query = new URLSearchParams({ embed, hide: this.getAttribute('hide') ?? '', origin: location.origin });
      Object.assign(this.#frame, { src: `${home}?${query}`, title: `clipscope: ${embed}`, allow: 'clipboard-write' });
      this.#frame.style = 'display: block; width: 100%; height: 30em; border: 0';
      addEventListener('message', this);
      this.append(this.#frame);
    }
    disconnectedCallback() {
      removeEventListener('message', this);
      this.#send = null;
    }
    attributeChangedCallback(name, before, value) {
      if (value !== null && value !== before) this.#send?.([[name, value]]);
    }
    handleEvent({ source, origin, data }) {
      if (source !== this.#frame.contentWindow || origin !== home.origin || data?.clipscope !== 1) return;
      if (data.ready) {
        const given = ClipScope.observedAttributes.filter((name) => this.hasAttribute(name));
        this.#send = (pairs) => source.postMessage({ clipscope: 1, set: Object.fromEntries(pairs) }, origin);
        this.#send(given.map((name) => [name, this.getAttribute(name)]));
      }
      if (data.height) this.#frame.style.height = `${data.height}px`;
      if (data.changed) this.dispatchEvent(new CustomEvent('change', { detail: data.changed }));
      if (data.problem) console.warn(data.problem);
    }
  }
  // A page may load this file more than once.
  if (!customElements.get('clip-scope')) customElements.define('clip-scope', ClipScope);
}
