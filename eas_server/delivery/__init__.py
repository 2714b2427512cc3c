"""What happens when mail is delivered or sent, beside storing and forwarding it: steps around the MailSubmission port.

`pipeline` runs the steps, `steps` lists them; each of the other modules is one step.
"""
