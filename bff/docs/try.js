for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const shown = form.querySelector("pre");
    const text = form.querySelector("textarea");
    const headers = { username: document.getElementById("user").value };
    if (text) headers["Content-Type"] = "application/json";
    try {
      const answer = await fetch(form.elements.target.value, {
        method: form.dataset.verb, headers, body: text ? text.value : undefined,
      });
      const body = await answer.text();
      let pretty = body;
      try { pretty = JSON.stringify(JSON.parse(body), null, 1); } catch { /* shown as it is */ }
      shown.textContent = `${answer.status}\n${pretty}`;
    } catch (failed) {
      shown.textContent = String(failed);
    }
  });
}
