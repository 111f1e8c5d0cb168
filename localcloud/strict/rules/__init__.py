"""One file per topic; each rule names the AWS document that states it."""
